# The two functions that every folder's CMakeLists.txt uses.

# nestling_library(NAME SOURCES a.cpp … DEPENDS lib …): a static library with the house's flags.
function(nestling_library name)
  cmake_parse_arguments(arg "" "" "SOURCES;DEPENDS" ${ARGN})
  add_library(${name} STATIC ${arg_SOURCES})
  target_link_libraries(${name} PUBLIC nestling_options ${arg_DEPENDS})
endfunction()

# nestling_test(NAME LABEL unit|kvm|… SOURCES a.cpp … DEPENDS lib … [TIMEOUT seconds]):
# a GoogleTest program, every test of which ctest runs in a process of its own.
function(nestling_test name)
  cmake_parse_arguments(arg "" "LABEL;TIMEOUT" "SOURCES;DEPENDS" ${ARGN})
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 60)
  endif()
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE nestling_static ${arg_DEPENDS} GTest::gtest_main)
  gtest_discover_tests(${name}
    TEST_PREFIX "${name}."
    PROPERTIES LABELS ${arg_LABEL} TIMEOUT ${arg_TIMEOUT}
    DISCOVERY_TIMEOUT 60)
endfunction()

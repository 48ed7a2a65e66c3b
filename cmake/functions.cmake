# The two functions that every folder's CMakeLists.txt uses.
include("${CMAKE_CURRENT_LIST_DIR}/beds.cmake")

# nestling_library(NAME SOURCES a.cpp … DEPENDS lib …): a static library with the house's flags.
function(nestling_library name)
  cmake_parse_arguments(arg "" "" "SOURCES;DEPENDS" ${ARGN})
  add_library(${name} STATIC ${arg_SOURCES})
  target_link_libraries(${name} PUBLIC nestling_options ${arg_DEPENDS})
endfunction()

# What a test may take when its nestling_test() says nothing; scripts/test allows more at night.
file(WRITE "${PROJECT_BINARY_DIR}/DartConfiguration.tcl" "TimeOut: 60\n")

# nestling_test(NAME [THREADS] LABEL unit|kvm|… SOURCES a.cpp … DEPENDS lib … [TIMEOUT seconds]
# [BED_FILES file …]): a GoogleTest program, every test of which ctest runs in a process of its own.
# THREADS: its tests start threads, so they run under ThreadSanitizer, too; their label ends in
# -threads. A kvm test program also runs as a whole in the bed of its architecture, with BED_FILES;
# so can every test program that was built for another architecture than this machine's; there, those
# that touch no KVM are only built for the target unit_tests: by night, when they run.
add_custom_target(threaded_tests)
add_custom_target(unit_tests)
function(nestling_test name)
  cmake_parse_arguments(arg "THREADS" "LABEL;TIMEOUT" "SOURCES;DEPENDS;BED_FILES" ${ARGN})
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE nestling_static ${arg_DEPENDS} GTest::gtest_main)
  # Only what they test has to be fast.
  target_compile_options(${name} PRIVATE $<$<CONFIG:Release>:-O1>)
  if(arg_LABEL STREQUAL kvm OR CMAKE_CROSSCOMPILING)
    nestling_bed_test(${name} LABEL ${arg_LABEL} FILES ${arg_BED_FILES})
  endif()
  if(NOT arg_LABEL STREQUAL kvm)
    add_dependencies(unit_tests ${name})
    set_target_properties(${name} PROPERTIES EXCLUDE_FROM_ALL "${CMAKE_CROSSCOMPILING}")
  endif()
  if(CMAKE_CROSSCOMPILING)
    return()  # this machine cannot run its tests one by one
  endif()
  set(label ${arg_LABEL})
  if(arg_THREADS)
    add_dependencies(threaded_tests ${name})
    set(label ${arg_LABEL}-threads)  # gtest_discover_tests cannot pass on a list of labels
  endif()
  set(properties LABELS ${label})
  if(arg_TIMEOUT)
    list(APPEND properties TIMEOUT ${arg_TIMEOUT})
  endif()
  gtest_discover_tests(${name}
    TEST_PREFIX "${name}."
    PROPERTIES ${properties}
    NO_PRETTY_VALUES
    DISCOVERY_TIMEOUT 60)
endfunction()

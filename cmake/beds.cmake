# Test programs in beds: emulated machines that have KVM. See docs/beds.md.

# Emulation is slow, and more so when several beds share a machine: what tests wait for may take so
# many times as long. A test that fails for another reason fails as soon as ever.
set(NESTLING_BED_TIME_SCALE 10)
set(NESTLING_BED_TIMEOUT 1800)

# nestling_bed_test(NAME LABEL unit|kvm|… [FILES file…] [AS test] [BED_OPTIONS option…]): runs the
# whole test program NAME in the bed of this build's architecture, as the test bed.ARCHITECTURE.NAME,
# label bed, or slow-bed when no KVM is in it: much emulation for code that runs as well without.
# FILES: what it needs besides itself; they have the same paths in the bed. What each of its tests
# came to is in beds/ARCHITECTURE/NAME.xml. AS and BED_OPTIONS: the same program once more, under
# another name, in a bed that differs by options of scripts/bed.
function(nestling_bed_test name)
  cmake_parse_arguments(arg "" "LABEL;AS" "FILES;BED_OPTIONS" ${ARGN})
  set(test ${name})
  if(arg_AS)
    set(test ${arg_AS})
  endif()
  if(NOT NESTLING_STATIC)
    return()  # a bed has no libraries
  endif()
  set(bed ${CMAKE_SYSTEM_PROCESSOR})
  if(bed STREQUAL aarch64)
    set(bed arm64)
  endif()
  list(TRANSFORM arg_FILES PREPEND "--put=")
  list(TRANSFORM arg_BED_OPTIONS PREPEND "--bed-option=")
  add_test(NAME bed.${bed}.${test}
    COMMAND "${PROJECT_SOURCE_DIR}/tests/beds/run_test_program.py"
            ${bed} ${arg_LABEL} "${PROJECT_BINARY_DIR}/beds/${bed}/${test}.xml"
            --timeout ${NESTLING_BED_TIMEOUT} --time-scale ${NESTLING_BED_TIME_SCALE}
            ${arg_FILES} ${arg_BED_OPTIONS} $<TARGET_FILE:${name}>)
  set(label slow-bed)
  if(arg_LABEL STREQUAL kvm)
    set(label bed)
  endif()
  math(EXPR timeout "8 * ${NESTLING_BED_TIMEOUT} + 300")  # the bed's own is shorter, but by night
  set_tests_properties(bed.${bed}.${test} PROPERTIES LABELS ${label} TIMEOUT ${timeout})
endfunction()

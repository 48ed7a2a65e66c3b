# Proves that check_include_direction.cmake finds each kind of mistake: it makes a small tree that
# keeps every rule, breaks one rule at a time, and looks for the words of that finding.
# usage: cmake -D CHECKER=script -D FOLDER=scratch -P include_direction_test.cmake
cmake_minimum_required(VERSION 3.25)

set(failures "")

function(make_good_tree)
  file(REMOVE_RECURSE "${FOLDER}")
  file(WRITE "${FOLDER}/base/check.h" "// Checks.\n#pragma once\n#include <string>\n")
  file(WRITE "${FOLDER}/addrspace/range.h"
       "// Ranges.\n#pragma once\n#include \"base/check.h\"\n")
  file(WRITE "${FOLDER}/devices/uart.cpp" "// A UART.\n#include \"addrspace/range.h\"\n")
  file(WRITE "${FOLDER}/boot/image.cpp" "// An image.\n#include \"addrspace/range.h\"\n")
  file(WRITE "${FOLDER}/guest/abi.h" "// The agreement.\n#pragma once\n")
  file(WRITE "${FOLDER}/guest/hello/main.cpp" "// Says hello.\n#include \"guest/abi.h\"\n")
  file(WRITE "${FOLDER}/vmm/kvm_api.h" "// KVM.\n#pragma once\n#include <linux/kvm.h>\n")
  file(WRITE "${FOLDER}/vmm/machine.cpp"
       "// A machine.\n#include \"vmm/kvm_api.h\"\n#include \"guest/abi.h\"\n")
  file(WRITE "${FOLDER}/tests/vmm/machine_test.cpp"
       "// Tests.\n#include <gtest/gtest.h>\n#include \"vmm/kvm_api.h\"\n")
  file(WRITE "${FOLDER}/bench/bare.c" "// A yardstick in C.\n#include <linux/kvm.h>\n")
endfunction()

function(run_checker status_out words_out)
  execute_process(COMMAND "${CMAKE_COMMAND}" -D "ROOT=${FOLDER}" -P "${CHECKER}"
                  RESULT_VARIABLE status OUTPUT_VARIABLE words ERROR_VARIABLE words)
  set(${status_out} "${status}" PARENT_SCOPE)
  set(${words_out} "${words}" PARENT_SCOPE)
endfunction()

# expect_finding(FILE CONTENT WORDS): the tree with FILE as given is refused, in these words.
function(expect_finding file content words)
  make_good_tree()
  file(WRITE "${FOLDER}/${file}" "${content}")
  run_checker(status said)
  string(FIND "${said}" "${words}" position)
  if(status EQUAL 0 OR position EQUAL -1)
    string(APPEND failures "  ${file}: expected '${words}', got status ${status}: ${said}\n")
    set(failures "${failures}" PARENT_SCOPE)
  endif()
endfunction()

make_good_tree()
run_checker(status said)
if(NOT status EQUAL 0)
  string(APPEND failures "  the good tree is refused: ${said}\n")
endif()

expect_finding(base/log.cpp "// Log.\n#include \"addrspace/range.h\"\n"
               "base/ may not include \"addrspace/range.h\"")
expect_finding(addrspace/area.cpp "// Area.\n#include \"devices/bus.h\"\n"
               "addrspace/ may not include \"devices/bus.h\"")
expect_finding(devices/rtc.cpp "// RTC.\n  #  include \"boot/image.h\"\n"
               "devices/ may not include \"boot/image.h\"")
expect_finding(boot/elf.cpp "// ELF.\n#include \"vmm/machine.h\"\n"
               "boot/ may not include \"vmm/machine.h\"")
expect_finding(boot/elf.cpp "// ELF.\n#include \"guest/abi.h\"\n"
               "boot/ may not include guest/abi.h")
expect_finding(vmm/machine.cpp "// Machine.\n#include \"guest/kit/console.h\"\n"
               "vmm/ may not include \"guest/kit/console.h\"")
expect_finding(vmm/machine.cpp "// Machine.\n#include \"tests/support/fake.h\"\n"
               "vmm/ may not include \"tests/support/fake.h\"")
expect_finding(guest/hello/main.cpp "// Hello.\n#include \"base/check.h\"\n"
               "guest/ may not include \"base/check.h\"")
expect_finding(vmm/machine.cpp "// Machine.\n#include \"machine.h\"\n"
               "vmm/ may not include \"machine.h\"")
expect_finding(devices/rtc.cpp "// RTC.\n#include \"vmm/kvm_api.h\"\n" "devices/ may not know KVM")
expect_finding(addrspace/ram.cpp "// RAM.\n#include <linux/kvm.h>\n"
               "linux/kvm.h may be included by vmm/kvm_api.h only")
expect_finding(vmm/vm.cpp "// VM.\n#include <linux/kvm.h>\n"
               "linux/kvm.h may be included by vmm/kvm_api.h only")
expect_finding(vmm/vm.cpp "// VM.\n#if defined(__aarch64__)\n#endif\n"
               "no #if on the architecture")
expect_finding(vmm/vm.cpp "// VM.\n#ifdef __x86_64__\n#endif\n" "no #if on the architecture")
expect_finding(base/log.h "// Log.\n#include <string>\n" "base/log.h:1: a header needs #pragma once")
expect_finding(base/log.cpp "#include <string>\n" "base/log.cpp:1: the first line must be a comment")
expect_finding(base/log.cpp "// Log.\nint x;  // TODO: name\n"
               "unfinished business belongs into an issue")

file(REMOVE_RECURSE "${FOLDER}")
file(MAKE_DIRECTORY "${FOLDER}")
run_checker(status said)
if(status EQUAL 0)
  string(APPEND failures "  an empty tree passes\n")
endif()

if(failures)
  message(FATAL_ERROR "\n${failures}")
endif()

# Checks what no compiler does: who may include whom, and the other promises of the tree's layout.
# usage: cmake -D ROOT=folder -P check_include_direction.cmake; lists every finding, then fails.
#
#   base <- addrspace <- {devices, boot} <- vmm <- {tests, bench, fuzz}        guest: on its own
cmake_minimum_required(VERSION 3.25)

set(may_base base)
set(may_addrspace base addrspace)
set(may_devices base addrspace devices)
set(may_boot base addrspace boot)
set(may_vmm base addrspace devices boot vmm)
set(may_guest guest)
set(may_tests base addrspace devices boot vmm tests)
set(may_bench base addrspace devices boot vmm tests bench)
set(may_fuzz base addrspace devices boot vmm tests fuzz)

# The one header that host and guests share, and the folders that may use it.
set(guest_abi "guest/abi.h")
set(may_use_guest_abi guest vmm tests bench)

# linux/kvm.h lays its structures out wrongly in C++ unless it is included through this one header.
# C has no such trap, and the yardsticks in bench/ are C on purpose.
set(kvm_door "vmm/kvm_api.h")
set(may_use_kvm vmm tests bench)

set(architecture_macro "__(x86_64|amd64|i386|aarch64|arm|riscv)[a-z0-9_]*")

set(findings "")
macro(finding where what)
  string(APPEND findings "  ${where}: ${what}\n")  # indented, CMake does not reflow it
endmacro()

function(check_include where folder file included)
  if(included MATCHES "^linux/kvm\\.h$")
    if(NOT file STREQUAL kvm_door AND NOT file MATCHES "^bench/.*\\.c$")
      finding("${where}" "linux/kvm.h may be included by ${kvm_door} only")
    endif()
  elseif(included STREQUAL guest_abi)
    if(NOT folder IN_LIST may_use_guest_abi)
      finding("${where}" "${folder}/ may not include ${guest_abi}")
    endif()
  elseif(included STREQUAL kvm_door AND NOT folder IN_LIST may_use_kvm)
    finding("${where}" "${folder}/ may not know KVM")
  else()
    string(REGEX MATCH "^[^/]*" included_folder "${included}")
    if(NOT included_folder IN_LIST may_${folder})
      finding("${where}" "${folder}/ may not include \"${included}\"")
    endif()
  endif()
  set(findings "${findings}" PARENT_SCOPE)
endfunction()

function(check_file folder file)
  file(STRINGS "${ROOT}/${file}" first_line LIMIT_COUNT 1 ENCODING UTF-8)
  if(NOT first_line MATCHES "^(//|/\\*|# )")
    finding("${file}:1" "the first line must be a comment that says what the file is")
  endif()
  if(file MATCHES "\\.h$")
    file(STRINGS "${ROOT}/${file}" pragma REGEX "^#pragma once$" ENCODING UTF-8)
    if(NOT pragma)
      finding("${file}:1" "a header needs #pragma once")
    endif()
  endif()

  # Only lines that can matter, so that this stays quick; a semicolon would split a CMake list.
  file(STRINGS "${ROOT}/${file}" lines REGEX "^[ \t]*#|TODO|FIXME|XXX" ENCODING UTF-8)
  foreach(line IN LISTS lines)
    if(line MATCHES "^[ \t]*#[ \t]*include[ \t]*\"([^\"]*)\"")
      check_include("${file}" "${folder}" "${file}" "${CMAKE_MATCH_1}")
    elseif(line MATCHES "^[ \t]*#[ \t]*include[ \t]*<(linux/kvm\\.h)>")
      check_include("${file}" "${folder}" "${file}" "${CMAKE_MATCH_1}")
    elseif(line MATCHES "^[ \t]*#[ \t]*(if|ifdef|ifndef|elif)[ \t].*${architecture_macro}")
      # The kernel's header declares other structures on each architecture, which its door checks.
      if(NOT file STREQUAL kvm_door)
        finding("${file}" "no #if on the architecture: ${line}")
      endif()
    endif()
    if(line MATCHES "(^|[^A-Za-z])(TODO|FIXME|XXX)([^A-Za-z]|$)")
      finding("${file}" "unfinished business belongs into an issue: ${line}")
    endif()
  endforeach()
  set(findings "${findings}" PARENT_SCOPE)
endfunction()

set(count 0)
foreach(folder base addrspace devices boot guest vmm tests bench fuzz)
  file(GLOB_RECURSE files RELATIVE "${ROOT}" "${ROOT}/${folder}/*.h" "${ROOT}/${folder}/*.cpp"
       "${ROOT}/${folder}/*.c" "${ROOT}/${folder}/*.S" "${ROOT}/${folder}/*.ld")
  foreach(file IN LISTS files)
    check_file("${folder}" "${file}")
    math(EXPR count "${count} + 1")
  endforeach()
endforeach()

if(findings)
  message(FATAL_ERROR "\n${findings}")
endif()
if(count EQUAL 0)
  message(FATAL_ERROR "no source files under ${ROOT}")
endif()
message(STATUS "${count} files keep the rules")

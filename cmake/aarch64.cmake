# The toolchain of the `aarch64` preset: Debian's arm64 cross compiler, with the arm64 libraries that
# scripts/cross_libraries unpacked. Libraries that are headers only come from the host's own packages
# through a folder of links, because the host's /usr/include as a whole would come in the wrong order.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(CMAKE_STRIP aarch64-linux-gnu-strip)

set(libraries "${CMAKE_CURRENT_LIST_DIR}/../build/arm64-libraries/usr")
set(CMAKE_FIND_ROOT_PATH "${libraries}")
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
include_directories(SYSTEM "${libraries}/include")
# Not link_directories(): CMake would take the folder for one that the compiler searches by itself.
add_link_options("-L${libraries}/lib/aarch64-linux-gnu")

set(links "${CMAKE_BINARY_DIR}/portable-headers")
file(MAKE_DIRECTORY "${links}")
foreach(library CLI fmt nlohmann tl)
  file(CREATE_LINK "/usr/include/${library}" "${links}/${library}" SYMBOLIC)
endforeach()
include_directories(SYSTEM "${links}")

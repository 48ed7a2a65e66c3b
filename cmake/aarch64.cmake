# The toolchain of the `aarch64` preset: Debian's arm64 cross compiler. Libraries that are headers
# only (fmt, tl::expected) come from the host's own packages through a folder of links, because the
# host's /usr/include as a whole would bring the wrong C library.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)

set(links "${CMAKE_BINARY_DIR}/portable-headers")
file(MAKE_DIRECTORY "${links}")
foreach(library fmt tl)
  file(CREATE_LINK "/usr/include/${library}" "${links}/${library}" SYMBOLIC)
endforeach()
include_directories(SYSTEM "${links}")

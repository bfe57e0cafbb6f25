# cmake -DROOT=... -DOUT=... -P CudaRevision.cmake: writes a number that changes when the code of any CUDA kernel does.
# Variants of a kernel are known by their numbers, so that times measured with other code may even be another variant's.
# One number for all: a plan's kernels are timed beside each other. Comments and blanks do not count.
cmake_minimum_required(VERSION 3.25)
include(${CMAKE_CURRENT_LIST_DIR}/WriteIfChanged.cmake)
file(GLOB_RECURSE files RELATIVE ${ROOT} ${ROOT}/src/kernels/*.cc ${ROOT}/src/kernels/*.cu ${ROOT}/src/kernels/*.cuh
     ${ROOT}/src/kernels/*.h)
list(FILTER files INCLUDE REGEX "^src/kernels/([a-z0-9_]+/)?cuda/")
list(FILTER files EXCLUDE REGEX "_test\\.(cc|h)$")
list(SORT files)
set(all "")
foreach(file IN LISTS files)
  file(READ ${ROOT}/${file} code)
  string(REGEX REPLACE "//[^\n]*" "" code "${code}")
  string(REGEX REPLACE "[ \t\r\n]+" " " code "${code}")
  string(SHA1 hash "${code}")
  string(APPEND all "${file} ${hash}\n")
endforeach()
string(SHA1 revision "${all}")
string(SUBSTRING ${revision} 0 16 revision)
tamis_write_if_changed(${OUT} "// Generated from the code of the CUDA kernels.\n\"${revision}\"\n")

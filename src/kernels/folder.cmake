# Times kernels against one another: build it with the target's name, it is not part of the default build.
add_executable(tamis_kernels_bench EXCLUDE_FROM_ALL ${CMAKE_SOURCE_DIR}/benchmarks/kernels_bench.cc)
target_link_libraries(tamis_kernels_bench PRIVATE tamis_kernels CLI11::CLI11)

# A number for every kernel's code, see kernel_revision.h.
file(GLOB_RECURSE kernel_code CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/kernels/*.cc ${CMAKE_SOURCE_DIR}/src/kernels/*.h)
list(FILTER kernel_code EXCLUDE REGEX "(_test\\.cc|/cuda/[^/]*)$")
set(kernel_revisions ${CMAKE_BINARY_DIR}/generated/src/kernels/kernel_revisions.inc)
add_custom_command(
  OUTPUT ${CMAKE_BINARY_DIR}/generated/kernel_revisions.stamp
  BYPRODUCTS ${kernel_revisions}
  COMMAND ${CMAKE_COMMAND} -DROOT=${CMAKE_SOURCE_DIR} -DOUT=${kernel_revisions}
          -P ${CMAKE_SOURCE_DIR}/cmake/KernelRevisions.cmake
  COMMAND ${CMAKE_COMMAND} -E touch ${CMAKE_BINARY_DIR}/generated/kernel_revisions.stamp
  DEPENDS ${kernel_code} ${CMAKE_SOURCE_DIR}/cmake/KernelRevisions.cmake)
add_custom_target(tamis_kernel_revisions DEPENDS ${CMAKE_BINARY_DIR}/generated/kernel_revisions.stamp)
add_dependencies(tamis_kernels tamis_kernel_revisions)

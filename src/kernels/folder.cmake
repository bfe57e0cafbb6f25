# Times kernels against one another: build it with the target's name, it is not part of the default build.
add_executable(tamis_kernels_bench EXCLUDE_FROM_ALL ${CMAKE_SOURCE_DIR}/benchmarks/kernels_bench.cc)
target_link_libraries(tamis_kernels_bench PRIVATE tamis_kernels)

add_executable(tamis_cuda_chain_bench EXCLUDE_FROM_ALL ${CMAKE_SOURCE_DIR}/src/cuda/main_cuda_chain_bench.cc)
target_link_libraries(tamis_cuda_chain_bench PRIVATE tamis_cuda)

if(TAMIS_BUILD_TESTS)  # what stands in for NVIDIA's driver and for our own backend, where there is no GPU
  foreach(fake old_cuda_driver cuda_backend)
    add_library(tamis_fake_${fake} SHARED ${CMAKE_SOURCE_DIR}/tests/fakes/${fake}.cc)
    target_include_directories(tamis_fake_${fake} PRIVATE ${CMAKE_SOURCE_DIR})
  endforeach()
  set_target_properties(tamis_fake_old_cuda_driver PROPERTIES OUTPUT_NAME cuda SUFFIX .so.1 NO_SONAME OFF
                        LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/fakes)
  set_target_properties(tamis_fake_cuda_backend PROPERTIES OUTPUT_NAME tamis_cuda
                        LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/fakes)
endif()

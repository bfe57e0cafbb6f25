if(TAMIS_GRPC)
  set_source_files_properties(${CMAKE_SOURCE_DIR}/src/cli/grpc_endpoint.cc PROPERTIES COMPILE_DEFINITIONS TAMIS_GRPC)
endif()
add_executable(tamis ${CMAKE_SOURCE_DIR}/src/cli/main.cc)
target_link_libraries(tamis PRIVATE tamis_cli)
if(TAMIS_JEMALLOC_LIBRARY)
  # A graph of 20,000 nodes is some million small blocks. glibc's lie scattered, and each pass over them waits for memory
  # a fifth longer (docs/performance.md).
  target_link_libraries(tamis PRIVATE ${TAMIS_JEMALLOC_LIBRARY})
endif()
add_dependencies(tamis tamis-tune-worker)
include(GNUInstallDirs)
install(TARGETS tamis tamis-tune-worker RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})

add_executable(tamis-tune-worker ${CMAKE_SOURCE_DIR}/src/tuner/main_worker.cc)
target_link_libraries(tamis-tune-worker PRIVATE tamis_tuner)

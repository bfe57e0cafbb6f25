find_package(JPEG REQUIRED)
find_package(PNG REQUIRED)
# Not find_package(libzip): Debian's config file fails unless the command-line tools are installed too.
find_library(TAMIS_LIBZIP zip REQUIRED)
target_link_libraries(tamis_compiler ${scope} JPEG::JPEG PNG::PNG ${TAMIS_LIBZIP})

# What the cost model's choices lose on a network: build it with the target's name, it is not part of the default build.
add_executable(tamis_cost_model EXCLUDE_FROM_ALL ${CMAKE_SOURCE_DIR}/benchmarks/cost_model.cc)
target_link_libraries(tamis_cost_model PRIVATE tamis_compiler)

find_package(ZLIB REQUIRED)
target_link_libraries(tamis_server PUBLIC ZLIB::ZLIB)
target_compile_definitions(tamis_server PRIVATE TAMIS_VERSION="${PROJECT_VERSION}")

find_package(JPEG REQUIRED)
find_package(PNG REQUIRED)
# Not find_package(libzip): Debian's config file fails unless the command-line tools are installed too.
find_library(TAMIS_LIBZIP zip REQUIRED)
target_link_libraries(tamis_compiler ${scope} JPEG::JPEG PNG::PNG ${TAMIS_LIBZIP})

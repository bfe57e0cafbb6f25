# RE2 is what ONNX's RegexFullMatch asks for. Of the image libraries, JPEG and PNG are always there; WebP and JPEG
# 2000 are refused, with a reason, where their library is not installed.
find_library(TAMIS_RE2 re2 REQUIRED)
find_package(JPEG REQUIRED)
find_package(PNG REQUIRED)
find_package(ZLIB REQUIRED)
target_link_libraries(tamis_ops PRIVATE ${TAMIS_RE2} JPEG::JPEG PNG::PNG ZLIB::ZLIB)
find_library(TAMIS_WEBP webp)
find_library(TAMIS_OPENJPEG openjp2)
find_path(TAMIS_OPENJPEG_INCLUDE openjpeg.h PATH_SUFFIXES openjpeg-2.5 openjpeg-2.4 openjpeg-2.3)
set(image_definitions "")
if(TAMIS_WEBP)
  list(APPEND image_definitions TAMIS_HAVE_WEBP)
  target_link_libraries(tamis_ops PRIVATE ${TAMIS_WEBP})
endif()
if(TAMIS_OPENJPEG AND TAMIS_OPENJPEG_INCLUDE)
  list(APPEND image_definitions TAMIS_HAVE_OPENJPEG)
  set_source_files_properties(${CMAKE_CURRENT_SOURCE_DIR}/src/ops/op_image_wavelet.cc
                              PROPERTIES INCLUDE_DIRECTORIES ${TAMIS_OPENJPEG_INCLUDE})
  target_link_libraries(tamis_ops PRIVATE ${TAMIS_OPENJPEG})
endif()
set_source_files_properties(
  ${CMAKE_CURRENT_SOURCE_DIR}/src/ops/op_image_webp.cc ${CMAKE_CURRENT_SOURCE_DIR}/src/ops/op_image_wavelet.cc
                              PROPERTIES COMPILE_DEFINITIONS "${image_definitions}")

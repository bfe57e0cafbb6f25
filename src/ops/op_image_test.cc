#include "src/ops/op_image.h"

#include <gtest/gtest.h>

#include <string>

namespace tamis {
namespace {

std::string Little(uint64_t value, int bytes) {
  std::string text;
  for (int i = 0; i < bytes; ++i) text.push_back(static_cast<char>(value >> (8 * i)));
  return text;
}

// Two columns, `height` rows (negative: from the top) of 24 bits.
std::string Bmp(int32_t height, uint32_t compression = 0) {
  std::string file = "BM" + Little(0, 8) + Little(54, 4);
  file += Little(40, 4) + Little(2, 4) + Little(static_cast<uint32_t>(height), 4) + Little(1, 2) + Little(24, 2);
  file += Little(compression, 4) + std::string(20, '\0');
  for (int row = 0; row < std::abs(height); ++row) {
    for (int i = 0; i < 6; ++i) file.push_back(static_cast<char>(row * 10 + i));
    file += std::string(2, '\0');
  }
  return file;
}

std::string Text(const DecodedImage& image) {
  if (!image.ok()) return image.status().message();
  if (!image->has_value()) return "damaged";
  std::string text = std::to_string((*image)->height) + "x" + std::to_string((*image)->width);
  for (uint8_t sample : (*image)->pixels) text += " " + std::to_string(sample);
  return text;
}

TEST(Image, BmpInEitherDirection) {
  EXPECT_EQ(Text(DecodeRgb(Bmp(2))), "2x2 12 11 10 15 14 13 2 1 0 5 4 3");
  EXPECT_EQ(Text(DecodeRgb(Bmp(-2))), "2x2 2 1 0 5 4 3 12 11 10 15 14 13");
  EXPECT_NE(Text(DecodeRgb(Bmp(2, 1))).find("uncompressed ones of 8, 24 and 32 bits"), std::string::npos);
  const std::string whole = Bmp(3);
  for (size_t size = 0; size < whole.size(); ++size) EXPECT_EQ(Text(DecodeRgb(whole.substr(0, size))), "damaged");
}

TEST(Image, PortableFormats) {
  EXPECT_EQ(Text(DecodeRgb("P3 # red\n1 1 255 1 2 3")), "1x1 1 2 3");
  EXPECT_EQ(Text(DecodeRgb("P2 2 1 15 0 15")), "1x2 0 0 0 255 255 255");
  EXPECT_EQ(Text(DecodeRgb("P1 2 1 01")), "1x2 255 255 255 0 0 0");
  EXPECT_EQ(Text(DecodeRgb("P4 2 1\n\x40")), "1x2 255 255 255 0 0 0");
  EXPECT_EQ(Text(DecodeRgb("P6 1 1 255\n\x01\x02\x03")), "1x1 1 2 3");
  EXPECT_EQ(Text(DecodeRgb("P6 1 2 255\n\x01\x02\x03")), "damaged");
  EXPECT_EQ(Text(DecodeRgb("P6 99999999 99999999 255\n")), "damaged");
}

// One row of two grey samples, little endian, compressed as said.
std::string Tiff(uint32_t compression, const std::string& strip) {
  const std::pair<uint32_t, uint32_t> tags[] = {
      {256, 2}, {257, 1}, {258, 8}, {259, compression}, {262, 1}, {273, 8}, {279, static_cast<uint32_t>(strip.size())}};
  std::string file = std::string("II*\0", 4) + Little(8 + static_cast<uint32_t>(strip.size()), 4) + strip;
  file += Little(std::size(tags), 2);
  for (const auto& [tag, value] : tags) file += Little(tag, 2) + Little(4, 2) + Little(1, 4) + Little(value, 4);
  return file + Little(0, 4);
}

TEST(Image, TiffInStrips) {
  EXPECT_EQ(Text(DecodeRgb(Tiff(1, "\x07\x09"))), "1x2 7 7 7 9 9 9");
  EXPECT_EQ(Text(DecodeRgb(Tiff(32773, "\xff\x07"))), "1x2 7 7 7 7 7 7");
  EXPECT_EQ(Text(DecodeRgb(Tiff(32773, "\x05\x07"))), "damaged");
  EXPECT_NE(Text(DecodeRgb(Tiff(5, "\x07\x09"))).find("compression 5"), std::string::npos);
  const std::string whole = Tiff(1, "\x07\x09");
  for (size_t size = 0; size + 4 < whole.size(); ++size) EXPECT_EQ(Text(DecodeRgb(whole.substr(0, size))), "damaged");
}

// A file may end inside the bytes that tell formats apart.
TEST(Image, BeginningsOfEveryFormatAreDamaged) {
  for (const std::string_view magic :
       {std::string_view("RIFF\0\0\0\0WEBP", 12), std::string_view("\0\0\0\x0cjP  \r\n\x87\n", 12),
        std::string_view("\x89PNG\r\n\x1a\n", 8), std::string_view("\xff\xd8\xff", 3),
        std::string_view("\xff\x4f\xff\x51", 4), std::string_view("II*\0", 4), std::string_view("MM\0*", 4),
        std::string_view("BM"), std::string_view("P6 ")}) {
    for (size_t size = 0; size <= magic.size(); ++size) {
      EXPECT_EQ(Text(DecodeRgb(magic.substr(0, size))), "damaged") << magic << " cut after " << size;
    }
  }
}

TEST(Image, WhatIsNoImageIsDamaged) {
  EXPECT_EQ(Text(DecodeRgb("")), "damaged");
  EXPECT_EQ(Text(DecodeRgb("hello")), "damaged");
  EXPECT_EQ(Text(DecodeRgb("\xff\xd8\xff and no more")), "damaged");
  EXPECT_EQ(Text(DecodeRgb("\x89PNG\r\n\x1a\n and no more")), "damaged");
}

}  // namespace
}  // namespace tamis

// Convolutions that read x where it lies although it needs padding: only results near the edges of the image have
// windows that reach beyond it, and only those windows are laid out. Worth it where few outputs read x: what is laid
// out whole is written and read once more.
#pragma once

#include <span>

#include "src/kernels/padded_image.h"

namespace tamis {

class LineEdges {
 public:
  // `rows_as_taps`: the taps of a kernel row are one (PaddedImage::Taps). `element` is in bytes.
  LineEdges(const PaddedImage& image, bool rows_as_taps, int64_t element);

  // Whether laying out the edges for each of so many panels is less than laying out all of x once.
  bool Pays(int64_t panels) const;

  // Results of line `line` that follow `at` and are read alike, up to `end`.
  struct Stretch {
    int64_t end = 0;
    bool in_place = false;
  };
  Stretch From(int64_t line, int64_t at) const;

  // Where the window of result `at` begins in x, if it is read in place, and its taps from there in elements.
  const std::byte* InPlace(const void* x, int64_t line, int64_t at) const;
  std::span<const int64_t> taps() const { return taps_; }

  // Lays out the windows of results [begin, end) of a line in `patch`, at the start of which that of `begin` begins.
  void LayOut(const void* x, int64_t line, int64_t begin, int64_t end, std::byte* patch) const;
  std::span<const int64_t> patch_taps() const { return patch_taps_; }
  int64_t PatchBytes() const;

 private:
  struct Place {
    int64_t image, z, y;  // of the window's first line, padding included
  };
  Place PlaceOf(int64_t line) const;

  PaddedImage image_;
  int64_t begin_ = 0, end_ = 0;  // results of a line that are read in place
  std::vector<int64_t> taps_, patch_taps_;
};

}  // namespace tamis

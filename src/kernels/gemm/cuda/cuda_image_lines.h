// Tiles of a convolution whose images stay in shared memory while every position of its kernel reads them: how lines of
// images lie there, and which output pixels a block computes. Plain C++.
//
// Lines lie one after another, each with the padding that it shares with the next one, so that what a position of the
// kernel reads for all pixels of a tile is the same rows of shared memory, shifted. Between two lines that gives
// results that are no pixels; they are never stored.
#pragma once

#include "src/kernels/cuda/conv_geometry.h"

namespace tamis::cuda {

struct LineTile {
  int pitch = 0;                      // rows of shared memory from one line to the next; 0: nothing fits
  int lines = 0;                      // of the output, of each image of a tile
  int images = 0;                     // of a tile; above 1 they are whole
  int held_lines = 0;                 // of the input, of each image of a tile, padding included
  int zero_rows = 0;                  // behind the last line, which read as padding
  int line_blocks = 0;                // tiles along an image
  int image_blocks = 0;               // along the batch
  int row_step = 0, column_step = 0;  // rows of shared memory between neighbouring positions of the kernel

  constexpr bool Fits() const { return pitch > 0; }
  constexpr int HeldRows() const { return images * held_lines * pitch; }
  // Lines of an image between the first ones of two images, in what a tile gives.
  constexpr int LinesApart() const { return images > 1 ? held_lines : lines; }
  constexpr int TileRows() const { return images * LinesApart() * pitch; }
  constexpr int Tiles() const { return line_blocks * image_blocks; }
};

// The most pixels that fit `columns` columns of a product; strides are 1.
LineTile FitLines(const ConvGeometry& conv, int columns);

}  // namespace tamis::cuda

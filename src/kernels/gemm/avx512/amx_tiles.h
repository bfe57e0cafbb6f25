// The tile registers of AMX, for TileProduct. Names of registers are part of an instruction: hence one function for
// each, and assembly, which unlike g++ 12's intrinsics tells the compiler that an instruction reads memory.
#pragma once

#include "src/kernels/gemm/tile_product.h"

namespace tamis {
namespace {

// Whose lanes are two elements of bf16, summed in f32, or four codes, u8 of x and s8 of the weight, in 32 bits.
enum class TileType : uint8_t { kBf16, kCodes };

template <TileType kType>
struct AmxTiles {
  static void Configure(const TileShapes& shapes) { asm volatile("ldtilecfg %0" : : "m"(shapes)); }
  // Tiles that hold nothing cost nothing when threads change places.
  static void Release() { asm volatile("tilerelease"); }

  template <int kTile>
  static void Zero() {
    asm volatile("tilezero %%tmm%c0" : : "i"(kTile));
  }
  template <int kTile>
  static void Load(const void* from, int64_t stride) {
    asm volatile("tileloadd (%1,%2,1), %%tmm%c0" : : "i"(kTile), "r"(from), "r"(stride) : "memory");
  }
  template <int kTile>
  static void Store(void* to, int64_t stride) {
    asm volatile("tilestored %%tmm%c0, (%1,%2,1)" : : "i"(kTile), "r"(to), "r"(stride) : "memory");
  }
  template <int kSums, int kX, int kWeights>
  static void Multiply() {
    if constexpr (kType == TileType::kBf16) {
      asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(kSums), "i"(kX), "i"(kWeights));
    } else {
      asm volatile("tdpbusd %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(kSums), "i"(kX), "i"(kWeights));
    }
  }
};

}  // namespace
}  // namespace tamis

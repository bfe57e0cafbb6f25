// The asynchronous machinery of sm_90: barriers in shared memory, bulk and tensor copies, clusters.
#pragma once

#include <cuda.h>

#include <cstdint>

namespace tamis::cuda {

__device__ __forceinline__ uint32_t SharedAddress(const void* pointer) {
  return static_cast<uint32_t>(__cvta_generic_to_shared(pointer));
}

__device__ __forceinline__ void BarrierInit(uint32_t barrier, uint32_t arrivals) {
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;\n" ::"r"(barrier), "r"(arrivals) : "memory");
}
// Makes initialised barriers visible to the copy engine and to the other blocks of the cluster.
__device__ __forceinline__ void BarrierInitFence() {
  asm volatile("fence.mbarrier_init.release.cluster;\n" ::: "memory");
}
__device__ __forceinline__ void BarrierExpect(uint32_t barrier, uint32_t bytes) {
  asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;\n" ::"r"(barrier), "r"(bytes) : "memory");
}
__device__ __forceinline__ void BarrierArrive(uint32_t barrier) {
  asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];\n" ::"r"(barrier) : "memory");
}
__device__ __forceinline__ void BarrierWait(uint32_t barrier, uint32_t parity) {
  asm volatile(
      "{\n.reg .pred done;\n"
      "again:\nmbarrier.try_wait.parity.shared::cta.b64 done, [%0], %1;\n"
      "@!done bra again;\n}\n" ::"r"(barrier),
      "r"(parity)
      : "memory");
}

// Global to shared memory; addresses and size are multiples of 16. Counts its bytes on the barrier.
__device__ __forceinline__ void BulkLoad(uint32_t to, const void* from, uint32_t bytes, uint32_t barrier) {
  asm volatile("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];\n" ::"r"(to),
               "l"(from), "r"(bytes), "r"(barrier)
               : "memory");
}
// A box of a tensor of two dimensions; what lies beyond its edges is filled with zeros.
__device__ __forceinline__ void TensorLoad(uint32_t to, const CUtensorMap& map, int inner, int outer,
                                           uint32_t barrier) {
  asm volatile(
      "cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%2, %3}], [%4];\n" ::"r"(
          to),
      "l"(&map), "r"(inner), "r"(outer), "r"(barrier)
      : "memory");
}
// As many rows as the map says: pixels of an image [batch][height][width][channels] from (w, h, batch) on along its
// bounding box, each shifted by (right, down): what one position of a convolution's kernel reads. Zeros beyond the
// edges.
__device__ __forceinline__ void ImageLoad(uint32_t to, const CUtensorMap& map, int channel, int w, int h, int batch,
                                          uint16_t right, uint16_t down, uint32_t barrier) {
  asm volatile(
      "cp.async.bulk.tensor.4d.shared::cluster.global.im2col.mbarrier::complete_tx::bytes "
      "[%0], [%1, {%2, %3, %4, %5}], [%6], {%7, %8};\n" ::"r"(to),
      "l"(&map), "r"(channel), "r"(w), "r"(h), "r"(batch), "r"(barrier), "h"(right), "h"(down)
      : "memory");
}
// A box of images [batch][height][width][channels]; zeros beyond the edges.
__device__ __forceinline__ void PixelsLoad(uint32_t to, const CUtensorMap& map, int channel, int w, int h, int batch,
                                           uint32_t barrier) {
  asm volatile(
      "cp.async.bulk.tensor.4d.shared::cluster.global.mbarrier::complete_tx::bytes "
      "[%0], [%1, {%2, %3, %4, %5}], [%6];\n" ::"r"(to),
      "l"(&map), "r"(channel), "r"(w), "r"(h), "r"(batch), "r"(barrier)
      : "memory");
}
// Shared to global memory, a group of its own; what lies beyond the tensor's edges is not written.
__device__ __forceinline__ void PixelsStore(const CUtensorMap& map, int channel, int w, int h, int batch,
                                            uint32_t from) {
  asm volatile(
      "cp.async.bulk.tensor.4d.global.shared::cta.bulk_group [%0, {%1, %2, %3, %4}], [%5];\n"
      "cp.async.bulk.commit_group;\n" ::"l"(&map),
      "r"(channel), "r"(w), "r"(h), "r"(batch), "r"(from)
      : "memory");
}
// The same of rows.
__device__ __forceinline__ void TensorStore(const CUtensorMap& map, int inner, int outer, uint32_t from) {
  asm volatile(
      "cp.async.bulk.tensor.2d.global.shared::cta.bulk_group [%0, {%1, %2}], [%3];\n"
      "cp.async.bulk.commit_group;\n" ::"l"(&map),
      "r"(inner), "r"(outer), "r"(from)
      : "memory");
}
// Until the shared memory of all stores of this thread has been read.
__device__ __forceinline__ void TensorStoreDrain() {
  asm volatile("cp.async.bulk.wait_group.read 0;\n" ::: "memory");
}
// Before the copy engine reads shared memory that ordinary stores have written.
__device__ __forceinline__ void FenceForCopyEngine() {
  asm volatile("fence.proxy.async.shared::cta;\n" ::: "memory");
}
__device__ __forceinline__ void PrefetchMap(const CUtensorMap& map) {
  asm volatile("prefetch.tensormap [%0];\n" ::"l"(&map) : "memory");
}

// All threads of all blocks of the cluster. What they wrote to shared memory before is visible after.
__device__ __forceinline__ void ClusterBarrier() {
  asm volatile("barrier.cluster.arrive.release;\nbarrier.cluster.wait.acquire;\n" ::: "memory");
}
// Orders no memory but barriers after BarrierInitFence().
__device__ __forceinline__ void ClusterBarrierRelaxed() {
  asm volatile("barrier.cluster.arrive.relaxed;\nbarrier.cluster.wait;\n" ::: "memory");
}
// From shared memory of block `rank` of the cluster; `address` is this block's for the same offset.
__device__ __forceinline__ float4 LoadFromRank(uint32_t address, uint32_t rank) {
  float4 v;
  asm volatile(
      "{\n.reg .b32 remote;\nmapa.shared::cluster.u32 remote, %4, %5;\n"
      "ld.shared::cluster.v4.f32 {%0, %1, %2, %3}, [remote];\n}\n"
      : "=f"(v.x), "=f"(v.y), "=f"(v.z), "=f"(v.w)
      : "r"(address), "r"(rank)
      : "memory");
  return v;
}

__device__ __forceinline__ float LoadFloatFromRank(uint32_t address, uint32_t rank) {
  float v;
  asm volatile(
      "{\n.reg .b32 remote;\nmapa.shared::cluster.u32 remote, %1, %2;\nld.shared::cluster.f32 %0, [remote];\n}\n"
      : "=f"(v)
      : "r"(address), "r"(rank)
      : "memory");
  return v;
}

// Moves registers between the warpgroups of a block. All warps of a warpgroup.
template <int kRegisters>
__device__ __forceinline__ void GiveRegisters() {
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;\n" ::"n"(kRegisters));
}
template <int kRegisters>
__device__ __forceinline__ void TakeRegisters() {
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;\n" ::"n"(kRegisters));
}

// Barrier `id` (1 .. 15) of the first `threads` threads to arrive.
__device__ __forceinline__ void NamedBarrier(int id, int threads) {
  asm volatile("bar.sync %0, %1;\n" ::"r"(id), "r"(threads) : "memory");
}

// Four 8 x 8 matrices of 16-bit elements, transposed: lane l gives the address of row l % 8 of matrix l / 8.
__device__ __forceinline__ void StoreTransposed(uint32_t address, const uint32_t (&m)[4]) {
  asm volatile("stmatrix.sync.aligned.m8n8.x4.trans.shared.b16 [%0], {%1, %2, %3, %4};\n" ::"r"(address), "r"(m[0]),
               "r"(m[1]), "r"(m[2]), "r"(m[3])
               : "memory");
}
__device__ __forceinline__ void StoreTransposed(uint32_t address, const uint32_t (&m)[2]) {
  asm volatile("stmatrix.sync.aligned.m8n8.x2.trans.shared.b16 [%0], {%1, %2};\n" ::"r"(address), "r"(m[0]), "r"(m[1])
               : "memory");
}
__device__ __forceinline__ void StoreTransposed(uint32_t address, const uint32_t (&m)[1]) {
  asm volatile("stmatrix.sync.aligned.m8n8.x1.trans.shared.b16 [%0], {%1};\n" ::"r"(address), "r"(m[0]) : "memory");
}
__device__ __forceinline__ void LoadTransposed(uint32_t address, uint32_t (&m)[4]) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];\n"
               : "=r"(m[0]), "=r"(m[1]), "=r"(m[2]), "=r"(m[3])
               : "r"(address)
               : "memory");
}
__device__ __forceinline__ void LoadTransposed(uint32_t address, uint32_t (&m)[2]) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%0, %1}, [%2];\n"
               : "=r"(m[0]), "=r"(m[1])
               : "r"(address)
               : "memory");
}

}  // namespace tamis::cuda

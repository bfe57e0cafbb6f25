// A block: neighbouring layers of a network as one node that runs tile by tile, so that what lies between the layers
// stays in a core's own cache and threads wait for one another once a block, not once a layer.
//
//   RowBlock x, residual?, others...   ->   y, the last layer's result
//
// The region "layers" holds the layers in order, each of whose results only the next reads, as its input 0. The
// attribute kernels names the kernel of each; all of them are RowKernels. Inputs of the region are those of the node.
// Input 1 may be written over (KernelDef::in_place of the kernel row_block).
//
// No file holds such nodes: the plan of an engine lists the blocks that were measured to be faster than their layers,
// and a program that runs by this plan forms them.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "src/kernels/kernel.h"

namespace tamis {

struct BlockSpec {
  std::vector<std::string> layers;   // names of their results
  std::vector<std::string> kernels;  // one a layer
};

// Puts a RowBlock in the place of the layers. False, and the graph is as it was, if they are not there in this order
// with nothing else reading what lies between, or a kernel can't compute its layer here.
bool FormBlock(Graph& concrete, const BlockSpec& spec);

// Runs of nodes that could be layers of one block, as far as the graph alone says: each reads the result of the one
// before as input 0, and nothing else does. Runs of one node are left out.
std::vector<std::vector<NodeId>> LayerRuns(const Graph& concrete);

Status SupportsRowBlock(const Problem& problem);
double RowBlockCost(const Problem& problem);
Result<std::unique_ptr<PreparedKernel>> PrepareRowBlock(const Problem& problem, PackCache& cache);

// The kernel, which a block may then have as a layer; an error if it does not run by rows here.
Result<std::unique_ptr<PreparedKernel>> PrepareByRows(const KernelDef& kernel, const Problem& problem,
                                                      PackCache& cache);

}  // namespace tamis

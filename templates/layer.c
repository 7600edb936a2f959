/* A layer function: the heading says which ONNX node it computes and the proven range of every tensor it writes. */
#include "mica/layer.h"

/*@example*/
#define FUNCTION    layer_000_conv1
#define LAYER_INDEX 0
#define NODE_NAME   conv1
#define OP_NAME     Conv
#define SHAPES      [ 1, 28, 28 ]
#define ACC_LO      -100000
#define ACC_HI      100000
#define MACS        230400
#define TENSOR      t3
#define KIND        witness
#define SHAPE       [ 8, 28, 28 ]
#define TENSOR_LO   -128
#define TENSOR_HI   127
/*@end*/

MICA_LAYER static void FUNCTION(const mica_frame *frame);
void example(const mica_frame *frame);
void example(const mica_frame *frame) { FUNCTION(frame); }

/*@body*/

// Layer LAYER_INDEX: NODE_NAME (OP_NAME)
/*@each shapes*/
// SHAPES
/*@end*/
/*@each accumulator*/
// accumulator in [ACC_LO, ACC_HI], below 2^31; MACS multiply-accumulates
/*@end*/
/*@each tensor*/
// TENSOR KIND SHAPE in [TENSOR_LO, TENSOR_HI]/*@each fused*/, read in place/*@end*/
/*@end*/
MICA_LAYER static void FUNCTION(const mica_frame *frame) {
    /*@each empty*/
    (void)frame; // this layer has no cells of its own
    /*@end*/
    /*@insert steps*/
}
/*@end*/

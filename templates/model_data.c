/* Verifier parameters and weights, linked into the executable as they are. */
#include "mica/model.h"

/*@example*/
#define HEADER_FILE   "mica/layer.h"
#define RUN_MODEL     lenet_run
#define MODEL_DATA    lenet_model
#define SCRATCH_NAME  4096
#define VK_SYMBOL     lenet_vk
#define VK_SIZE       100
#define WEIGHT_SYMBOL lenet_weights
#define WEIGHT_SIZE   1000
#define FLOAT_FILE    lenet.float
#define VK_FILE       lenet.vk
#define WEIGHT_FILE   lenet.weights
/*@end*/
void RUN_MODEL(const mica_frame *frame);
extern const mica_model MODEL_DATA;
/*@body*/
/* Verifier parameters and weights, linked in from the files beside this one. */
#include HEADER_FILE

__asm__(".pushsection .rodata\n"
        ".balign 64\n"
        "VK_SYMBOL:\n"
        ".incbin \"VK_FILE\"\n"
        ".balign 64\n"
        "WEIGHT_SYMBOL:\n"
        ".incbin \"WEIGHT_FILE\"\n"
        ".byte 0\n"
        ".popsection\n");
extern const uint8_t VK_SYMBOL[VK_SIZE], WEIGHT_SYMBOL[WEIGHT_SIZE];

const mica_model MODEL_DATA = {VK_SYMBOL, VK_SIZE, WEIGHT_SYMBOL, WEIGHT_SIZE, SCRATCH_NAME, RUN_MODEL, "FLOAT_FILE", NULL, true, true};
/*@end*/

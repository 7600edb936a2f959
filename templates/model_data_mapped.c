/* Verifier parameters, linked into the executable; the weights are mapped from a file. */
#include "mica/model.h"

/*@example*/
#define HEADER_FILE   "mica/layer.h"
#define RUN_MODEL     lenet_run
#define MODEL_DATA    lenet_model
#define SCRATCH_NAME  4096
#define VK_SYMBOL     lenet_vk
#define VK_SIZE       100
#define FLOAT_FILE    lenet.float
#define WEIGHT_FILE   lenet.weights
#define VK_FILE       lenet.vk
/*@end*/
void RUN_MODEL(const mica_frame *frame);
extern const mica_model MODEL_DATA;
/*@body*/
/* Verifier parameters, linked in from the file beside this one. */
#include HEADER_FILE

/* The weights are too large to be linked in: main maps them from a file. */
__asm__(".pushsection .rodata\n"
        ".balign 64\n"
        "VK_SYMBOL:\n"
        ".incbin \"VK_FILE\"\n"
        ".byte 0\n"
        ".popsection\n");
extern const uint8_t VK_SYMBOL[VK_SIZE];

const mica_model MODEL_DATA = {VK_SYMBOL, VK_SIZE, NULL, 0, SCRATCH_NAME, RUN_MODEL, "FLOAT_FILE", "WEIGHT_FILE", true, true};
/*@end*/

/* LINEAR: a sum of scaled operands and constants, cell by cell. */
#include "mica/layer.h"

/*@example*/
#define RESULT         t3
#define RESULT_SOURCE  mica_cells
#define RESULT_AT      3
#define LO             -1000
#define HI             1000
#define OPERAND        t1
#define OPERAND_SOURCE mica_cells
#define OPERAND_AT     1
#define OUTER          i1
#define OUTER_DIM      8
#define INDEX          i0
#define DIM            28
#define STRIDE         32
#define SUM            sum
/*@end*/

void example(const mica_frame *frame);
MICA_LAYER void example(const mica_frame *frame) {
    const int32_t sum = 5; /* sum.c defines it */
    /*@body*/
    {
        int32_t *restrict RESULT = RESULT_SOURCE(frame, RESULT_AT);
        /*@each operand*/
        const int32_t *restrict OPERAND = OPERAND_SOURCE(frame, OPERAND_AT);
        /*@end*/
        /*@each outer*/
        for (int32_t OUTER = 0; OUTER < OUTER_DIM; OUTER++)
        /*@end*/
        /*@each inner*/
        MICA_INDEPENDENT for (int32_t INDEX = 0; INDEX < DIM; INDEX++)
        /*@end*/
        {
            /*@include sum*/
            MICA_RANGE(SUM, LO, HI);
            RESULT[0/*@each cell*/ + INDEX * STRIDE/*@end*/] = (int32_t)SUM;
        }
    }
    /*@end*/
}

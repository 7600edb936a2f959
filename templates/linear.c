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
#define INDEX          i0
#define STRIDE         32
#define SUM            sum
#define SPLIT          8
#define SPLIT_STEP     1
#define OUTER_BEGIN    part_begin
#define OUTER_END      part_end
#define BEGIN          0
#define END            28
/*@end*/

void example(const mica_frame *frame);
MICA_LAYER void example(const mica_frame *frame) {
    const int32_t sum = 5; /* sum.c defines it */
    /*@body*/
    {
        const int32_t part_begin = mica_from(frame, SPLIT, SPLIT_STEP), part_end = mica_to(frame, SPLIT, SPLIT_STEP);
        int32_t *restrict RESULT = RESULT_SOURCE(frame, RESULT_AT);
        /*@each operand*/
        const int32_t *restrict OPERAND = OPERAND_SOURCE(frame, OPERAND_AT);
        /*@end*/
        /*@each outer*/
        for (int32_t OUTER = OUTER_BEGIN; OUTER < OUTER_END; OUTER++)
        /*@end*/
        /*@each inner*/
        MICA_INDEPENDENT for (int32_t INDEX = BEGIN; INDEX < END; INDEX++)
        /*@end*/
        {
            /*@include sum*/
            MICA_RANGE(SUM, LO, HI);
            RESULT[0/*@each cell*/ + INDEX * STRIDE/*@end*/] = (int32_t)SUM;
        }
        mica_wait(frame);
    }
    /*@end*/
}

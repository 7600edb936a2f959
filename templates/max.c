/* max(a, b) = b + max(a - b, 0), with the difference and its positive part kept for the lookup. */
#include "mica/layer.h"

/*@example*/
#define MAXIMUM        t4
#define MAXIMUM_AT     4
#define LO             -128
#define HI             127
#define DIFFERENCE     t5
#define DIFFERENCE_AT  5
#define POSITIVE       t6
#define POSITIVE_AT    6
#define D_LO           -255
#define D_HI           255
#define OPERAND        t1
#define OPERAND_SOURCE mica_cells
#define OPERAND_AT     1
#define OUTER          i1
#define INDEX          i0
#define STRIDE         32
#define SPLIT          8
#define SPLIT_STEP     1
#define OUTER_BEGIN    part_begin
#define OUTER_END      part_end
#define BEGIN          0
#define END            28
/*@end*/

void example(const mica_frame *frame);
MICA_LAYER void example(const mica_frame *frame) {
    const int32_t d = 4, b = 5; /* sum.c defines them, one sum each */
    /*@body*/
    {
        const int32_t part_begin = mica_from(frame, SPLIT, SPLIT_STEP), part_end = mica_to(frame, SPLIT, SPLIT_STEP);
        int32_t *restrict MAXIMUM = mica_cells(frame, MAXIMUM_AT);
        int32_t *restrict DIFFERENCE = mica_cells(frame, DIFFERENCE_AT);
        int32_t *restrict POSITIVE = mica_cells(frame, POSITIVE_AT);
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
            const int32_t cell = 0/*@each cell*/ + INDEX * STRIDE/*@end*/;
            /*@include sum*/
            MICA_RANGE(d, D_LO, D_HI);
            const int32_t positive = mica_max0((int32_t)d);
            DIFFERENCE[cell] = (int32_t)d;
            POSITIVE[cell] = positive;
            MAXIMUM[cell] = (int32_t)b + positive;
            MICA_RANGE(MAXIMUM[cell], LO, HI);
        }
        mica_wait(frame);
    }
    /*@end*/
}

/* Requantisation: h = floor(sum / 2^s), the remainder split into limbs, and y = table(h). The sum holds the
 * accumulator, the bias and the rounding term. A table that is a clamp is not looked up. Lookups have a loop of their own,
 * row by row: the other one consists of arithmetic and becomes vector code. */
#include "mica/layer.h"

/*@example*/
#define HIGH           t4
#define HIGH_AT        4
#define LO             -128
#define HI             127
#define LIMB           t5
#define LIMB_AT        5
#define LOW            0
#define WIDTH          7
#define BITS           mica_bits32
#define SHIFT          mica_shift32
#define DROPPED        7
#define OUTPUT         t6
#define OUTPUT_AT      6
#define TABLE          table0
#define TABLE_AT       0
#define KEY_OFFSET     128
#define LEAST          0
#define MOST           127
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
    const int32_t sum = 5; /* sum.c defines it */
    /*@body*/
    {
        const int32_t part_begin = mica_from(frame, SPLIT, SPLIT_STEP), part_end = mica_to(frame, SPLIT, SPLIT_STEP);
        int32_t *restrict HIGH = mica_cells(frame, HIGH_AT);
        /*@each limb*/
        int32_t *restrict LIMB = mica_cells(frame, LIMB_AT);
        /*@end*/
        /*@each output*/
        int32_t *restrict OUTPUT = mica_cells(frame, OUTPUT_AT);
        /*@end*/
        /*@each lookup*/
        const int32_t *restrict TABLE = mica_table_values(frame, TABLE_AT);
        /*@end*/
        /*@each operand*/
        const int32_t *restrict OPERAND = OPERAND_SOURCE(frame, OPERAND_AT);
        /*@end*/
        /*@each outer*/
        for (int32_t OUTER = OUTER_BEGIN; OUTER < OUTER_END; OUTER++)
        /*@end*/
        {
            /*@each inner*/
            MICA_INDEPENDENT for (int32_t INDEX = BEGIN; INDEX < END; INDEX++)
            /*@end*/
            {
                const int32_t cell = 0/*@each cell*/ + INDEX * STRIDE/*@end*/;
                /*@include sum*/
                /*@each limb*/
                LIMB[cell] = BITS(sum, LOW, WIDTH);
                /*@end*/
                const int32_t h = SHIFT(sum, DROPPED);
                MICA_RANGE(h, LO, HI);
                HIGH[cell] = h;
                /*@each clamp*/
                OUTPUT[cell] = mica_smaller(mica_larger(h, LEAST), MOST);
                /*@end*/
            }
            /*@each lookup*/
            /*@each inner*/
            for (int32_t INDEX = BEGIN; INDEX < END; INDEX++)
            /*@end*/
            {
                const int32_t cell = 0/*@each cell*/ + INDEX * STRIDE/*@end*/;
                OUTPUT[cell] = TABLE[HIGH[cell] + KEY_OFFSET];
            }
            /*@end*/
        }
        mica_wait(frame);
    }
    /*@end*/
}

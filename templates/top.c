/* Rows of zeros and a one: the places of the largest cells of a row, in order. */
#include "mica/layer.h"

/*@example*/
#define RESULT         t3
#define RESULT_AT      3
#define OPERAND        t1
#define OPERAND_SOURCE mica_cells
#define OPERAND_AT     1
#define INDEX          i0
#define STRIDE         32
#define LENGTH         10
#define RANKS          3
#define RANK_STRIDE    16
#define SPLIT      28
#define SPLIT_STEP 1
#define BEGIN      part_begin
#define END        part_end
/*@end*/

void example(const mica_frame *frame);
MICA_LAYER void example(const mica_frame *frame) {
    /*@body*/
    {
        const int32_t part_begin = mica_from(frame, SPLIT, SPLIT_STEP), part_end = mica_to(frame, SPLIT, SPLIT_STEP);
        int32_t *restrict RESULT = mica_cells(frame, RESULT_AT);
        const int32_t *restrict OPERAND = OPERAND_SOURCE(frame, OPERAND_AT);
        /*@each axis*/
        for (int32_t INDEX = BEGIN; INDEX < END; INDEX++)
        /*@end*/
        {
            const int32_t cell = 0/*@each cell*/ + INDEX * STRIDE/*@end*/;
            const int32_t row = 0/*@each row*/ + INDEX * STRIDE/*@end*/;
            int32_t place = -1;
            for (int32_t rank = 0; rank < RANKS; rank++) {
                place = mica_next_top(OPERAND + row, LENGTH, place);
                for (int32_t i = 0; i < LENGTH; i++)
                    RESULT[cell + rank * RANK_STRIDE + i] = i == place;
            }
        }
        mica_wait(frame);
    }
    /*@end*/
}

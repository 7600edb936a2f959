/* The integer square root floor(sqrt(v)), v >= 0, cell by cell. */
#include "mica/layer.h"

/*@example*/
#define RESULT         t3
#define RESULT_AT      3
#define LO             0
#define HI             256
#define OPERAND        t1
#define OPERAND_AT     1
#define OPERAND_HI     65535
#define INDEX          i0
#define STRIDE         32
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
        const int32_t *restrict OPERAND = mica_cells(frame, OPERAND_AT);
        /*@each axis*/
        for (int32_t INDEX = BEGIN; INDEX < END; INDEX++)
        /*@end*/
        {
            const int32_t cell = 0/*@each cell*/ + INDEX * STRIDE/*@end*/;
            MICA_RANGE(OPERAND[cell], 0, OPERAND_HI);
            RESULT[cell] = mica_floor_root(OPERAND[cell]);
            MICA_RANGE(RESULT[cell], LO, HI);
        }
        mica_wait(frame);
    }
    /*@end*/
}

/* y = table(x), cell by cell. */
#include "mica/layer.h"

/*@example*/
#define RESULT         t3
#define RESULT_AT      3
#define OPERAND        t1
#define OPERAND_SOURCE mica_cells
#define OPERAND_AT     1
#define TABLE          table0
#define TABLE_AT       0
#define KEY_OFFSET     128
#define LAST_ROW       255
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
        const int32_t *restrict OPERAND = OPERAND_SOURCE(frame, OPERAND_AT);
        const int32_t *restrict TABLE = mica_table_values(frame, TABLE_AT);
        /*@each axis*/
        for (int32_t INDEX = BEGIN; INDEX < END; INDEX++)
        /*@end*/
        {
            const int32_t cell = 0/*@each cell*/ + INDEX * STRIDE/*@end*/;
            MICA_RANGE(OPERAND[cell] + KEY_OFFSET, 0, LAST_ROW);
            RESULT[cell] = TABLE[OPERAND[cell] + KEY_OFFSET];
        }
        mica_wait(frame);
    }
    /*@end*/
}

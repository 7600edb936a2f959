/* PLACEMENT: every cell copies at most one source cell, found factor by factor; cells without one are zero. */
#include "mica/layer.h"

/*@example*/
#define RESULT         t3
#define RESULT_SOURCE  mica_cells
#define RESULT_AT      3
#define SOURCE_CELLS   t1
#define SOURCE_AT      1
#define ALL_CELLS      1024
#define OUTER          i1
#define INDEX          i0
#define STRIDE         32
#define FLAT           at0
#define LISTED_FLAT    at1
#define CHECKED        at1
#define OFFSET         2
#define FIRST          0
#define SIZE           30
#define DIVIDE_BY      1
#define SRC_DIM        30
#define SRC_STRIDE     1
#define NORM           4
#define COUNT_DIM      3
#define COUNT_STRIDE   1
#define SPLIT          8
#define SPLIT_STEP     1
#define OUTER_BEGIN    part_begin
#define OUTER_END      part_end
#define BEGIN          0
#define END            28
/*@end*/

void example(const mica_frame *frame);
MICA_LAYER void example(const mica_frame *frame) {
    /*@body*/
    {
        const int32_t part_begin = mica_from(frame, SPLIT, SPLIT_STEP), part_end = mica_to(frame, SPLIT, SPLIT_STEP);
        int32_t *restrict RESULT = RESULT_SOURCE(frame, RESULT_AT);
        const int32_t *restrict SOURCE_CELLS = mica_cells(frame, SOURCE_AT);
        /*@each clear*/
        const int32_t clear_end = mica_to(frame, ALL_CELLS, 1);
        for (int32_t cell = mica_from(frame, ALL_CELLS, 1); cell < clear_end; cell++)
            RESULT[cell] = 0;
        mica_wait(frame);
        /*@end*/
        /*@each outer*/
        for (int32_t OUTER = OUTER_BEGIN; OUTER < OUTER_END; OUTER++)
        /*@end*/
        /*@each inner*/
        MICA_INDEPENDENT for (int32_t INDEX = BEGIN; INDEX < END; INDEX++)
        /*@end*/
        {
            const int32_t cell = 0/*@each cell*/ + INDEX * STRIDE/*@end*/;
            /*@each factor*/
            const int32_t FLAT = OFFSET/*@each flat*/ + INDEX * STRIDE/*@end*/;
            /*@end*/
            /*@each listed*/
            const int32_t LISTED_FLAT = mica_listed(frame, FIRST/*@each row*/ + INDEX * STRIDE/*@end*/);
            /*@end*/
            int32_t value = 0;
            /*@each checked*/
            if (CHECKED >= 0 && CHECKED < SIZE)
            /*@end*/
            {
                value = SOURCE_CELLS[0/*@each passed*/ + INDEX * STRIDE/*@end*//*@each split*/ + FLAT / DIVIDE_BY % SRC_DIM * SRC_STRIDE/*@end*//*@each direct*/ + FLAT * SRC_STRIDE/*@end*/];
                /*@each mean*/
                value *= NORM / mica_window_count(OFFSET/*@each fixed*/ + INDEX * STRIDE/*@end*/, COUNT_STRIDE, COUNT_DIM, SIZE);
                /*@end*/
            }
            RESULT[cell] = value;
        }
        mica_wait(frame);
    }
    /*@end*/
}

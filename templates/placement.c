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
#define OUTER_DIM      8
#define INDEX          i0
#define DIM            28
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
/*@end*/

void example(const mica_frame *frame);
MICA_LAYER void example(const mica_frame *frame) {
    /*@body*/
    {
        int32_t *restrict RESULT = RESULT_SOURCE(frame, RESULT_AT);
        const int32_t *restrict SOURCE_CELLS = mica_cells(frame, SOURCE_AT);
        /*@each clear*/
        for (int32_t cell = 0; cell < ALL_CELLS; cell++)
            RESULT[cell] = 0;
        /*@end*/
        /*@each outer*/
        for (int32_t OUTER = 0; OUTER < OUTER_DIM; OUTER++)
        /*@end*/
        /*@each inner*/
        MICA_INDEPENDENT for (int32_t INDEX = 0; INDEX < DIM; INDEX++)
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
    }
    /*@end*/
}

/* LINEAR: a sum of scaled operands and constants, cell by cell.
 * ACC is int32_t where all partial sums are proven to fit, int64_t otherwise. */
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
#define INDEX          i0
#define DIM            28
#define STRIDE         32
#define BASE           0
#define SUM            sum
#define ACC            int32_t
#define CONSTANT       64
#define COEF           3
#define OP             +=
#define FROM           2
#define TO             5
#define K              k0
#define K_DIM          5
/*@end*/

void example(const mica_frame *frame);
MICA_LAYER void example(const mica_frame *frame) {
    /*@body*/
    {
        int32_t *restrict RESULT = RESULT_SOURCE(frame, RESULT_AT);
        /*@each operand*/
        const int32_t *restrict OPERAND = OPERAND_SOURCE(frame, OPERAND_AT);
        /*@end*/
        /*@each axis*/
        for (int32_t INDEX = 0; INDEX < DIM; INDEX++)
        /*@end*/
        {
            /*@each sum*/
            ACC SUM = CONSTANT;
            /*@each box*/
            SUM += COEF/*@each inside*/ * (INDEX >= FROM && INDEX < TO)/*@end*/;
            /*@end*/
            /*@each term*/
            /*@each over*/
            for (int32_t K = 0; K < K_DIM; K++)
            /*@end*/
            SUM OP OPERAND[BASE/*@each at*/ + INDEX * STRIDE/*@end*/] * COEF;
            /*@end*/
            /*@end*/
            MICA_RANGE(SUM, LO, HI);
            RESULT[0/*@each cell*/ + INDEX * STRIDE/*@end*/] = (int32_t)SUM;
        }
    }
    /*@end*/
}

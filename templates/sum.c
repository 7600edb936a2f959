/* Sums of scaled operands and constants at one cell; included by the templates of cells that are made of them.
 * ACC is int32_t where all partial sums are proven to fit, int64_t otherwise. */
#include "mica/layer.h"

/*@example*/
#define OPERAND        t1
#define INDEX          i0
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

void example(const int32_t *OPERAND, int32_t INDEX);
void example(const int32_t *OPERAND, int32_t INDEX) {
    /*@body*/
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
    /*@end*/
    (void)SUM;
}

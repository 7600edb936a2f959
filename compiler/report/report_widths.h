/* The report's part on widths: what was tried, where precision is lost, what finer widths would cost and
 * give. */
#ifndef MICA_COMPILER_REPORT_WIDTHS_H
#define MICA_COMPILER_REPORT_WIDTHS_H

#include "driver.h"
#include "emit/template.h"

void report_widths_bind(scope *root, const compilation *c);

#endif

/* The report's page without its numbers, built into the program by web/report/bundle.sh. */
#ifndef KL_CLI_OUTPUT_REPORT_PAGE_H
#define KL_CLI_OUTPUT_REPORT_PAGE_H

/* Where the numbers go, in this order. */
#define KL_REPORT_PAGE_NUMBERS "@REPORT@"
#define KL_REPORT_PAGE_PICTURES "@PICTURES@"

extern const char kl_report_page[];

#endif

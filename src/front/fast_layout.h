/* The layout that the assembly of the fast paths shares with C++: offsets into `fast_state` (magazine.h
 * asserts each), fields of the kernel's struct rseq. Plain #defines, for the assembler reads this file too.
 */
#ifndef LOWTIDE_FRONT_FAST_LAYOUT_H
#define LOWTIDE_FRONT_FAST_LAYOUT_H

/* include/uapi/linux/rseq.h */
#define RSEQ_CPU_ID 4             /* the processor, or negative in a thread that is not registered */
#define RSEQ_CPU_LIMIT 1024       /* FAST_MAX_ROWS: with more processors, the caches are locked ones */
#define RSEQ_CS 8                 /* the descriptor of the running critical section */
#define RSEQ_MM_CID 24            /* concurrency id, dense from 0; Linux 6.3 */
#define RSEQ_SIGNATURE 0x53053053 /* glibc's RSEQ_SIG on x86-64; precedes every abort handler */

#define FAST_CS_MALLOC 0
#define FAST_CS_NEW 32
#define FAST_CS_FREE 64
#define FAST_NOTHING 2048 /* the top of a magazine that is both empty and full: no magazine */
#define FAST_CLASS_TABLE 2048
#define FAST_MAX_SIZE 32768     /* sizes that the class table covers in steps of 16 bytes … */
#define FAST_MAX_MEDIUM 2097152 /* … and behind that, in steps of 4 KiB */
#define FAST_MEDIUM_SHIFT 12
#define FAST_MEDIUM_STEP 4096
#define FAST_MEDIUM_FIRST (FAST_MAX_SIZE / 16 - FAST_MAX_SIZE / FAST_MEDIUM_STEP)
#define FAST_MAP_ROOT 12288
#define FAST_EMPTY_LEAF (FAST_MAP_ROOT + 65536 * 8)
#define FAST_ROWS (FAST_EMPTY_LEAF + 65536 * 4 + 65536 * 8 + 4096)
#define FAST_ROW_BYTES 2048
#define FAST_SPARE 1024 /* in a row: the loaded magazines of all classes, then the spare ones */
#define FAST_MAX_ROWS 1024

#define MAGAZINE_BYTES 2048

#endif

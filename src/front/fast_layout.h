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
#define FAST_CS_FREE_SIZED 96
#define FAST_CS_DELETE_SIZED 128
#define FAST_CS_COUNTED 160
#define FAST_NOTHING 2048 /* the top of a magazine that is both empty and full: no magazine */
/* The class table, by size: up to 7 KiB in steps of 16 bytes, up to 128 KiB in steps of 512, up to 2 MiB in
 * steps of 16 KiB. With the sections and the page map's own words it fills one page; one in steps of 16 bytes
 * to 32 KiB and of 4 KiB behind took three, and nothing was faster. The two coarse parts lie in front of the
 * fine one. */
#define FAST_CLASS_TABLE 2048
#define FAST_MAX_SIZE 7168
#define FAST_MEDIUM_SHIFT 9
#define FAST_MAX_MEDIUM 131072
#define FAST_LARGE_SHIFT 14
#define FAST_MAX_LARGE 2097152
#define FAST_MEDIUM_TABLE 256
#define FAST_LARGE_TABLE (FAST_MEDIUM_TABLE + 4 * (FAST_MAX_MEDIUM >> FAST_MEDIUM_SHIFT) + 4)
#define FAST_MAP_ROOT 4096
#define FAST_EMPTY_LEAF (FAST_MAP_ROOT + 65536 * 8)
#define FAST_ROWS (FAST_EMPTY_LEAF + 65536 * 4 + 65536 * 8)
#define FAST_ROW_BYTES 2048
#define FAST_SPARE 1024 /* in a row: the loaded magazines of all classes, then the spare ones */
#define FAST_MAX_ROWS 1024
/* While allocations are counted (front/counting.cpp): the class table of those, in a page like that of the
 * first one, and the last word of a row. */
#define FAST_COUNTED (FAST_ROWS + FAST_MAX_ROWS * FAST_ROW_BYTES)
#define FAST_COUNTED_TABLE (FAST_COUNTED + FAST_CLASS_TABLE)
#define FAST_COUNTDOWN (FAST_SPARE + 1008)
#define FAST_BYTES (FAST_COUNTED + 4096)

#define MAGAZINE_BYTES 2048

#endif

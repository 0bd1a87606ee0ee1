// The program of the Java test. Prints one line for each part, made of counts and checksums; threads hand their answers
// to the part that started them, so that nothing depends on who runs first.

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicLong;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.zip.CRC32;
import java.util.zip.Deflater;
import java.util.zip.Inflater;

public final class Tide {
    private static final int THREADS = 4;

    private interface Job {
        long run(int number) throws Exception;
    }

    public static void main(String[] args) throws Exception {
        say("direct buffers", inThreads(24, Tide::directBuffers));
        say("compression", inThreads(24, Tide::compression));
        say("collections", inThreads(8, Tide::collections));
        say("regex", inThreads(8, Tide::expressions));
        say("pipeline", pipeline());
        say("short threads", shortThreads());
        say("streams", IntStream.range(0, 500_000).parallel().mapToObj(i -> "s" + i % 1009)
            .collect(Collectors.groupingBy(s -> s, TreeMap::new, Collectors.counting())).hashCode());
    }

    private static void say(String name, long value) {
        System.out.println(name + " " + value);
    }

    private static long inThreads(int jobs, Job job) throws Exception {
        ExecutorService pool = Executors.newFixedThreadPool(THREADS);
        List<Callable<Long>> calls = new ArrayList<>();
        for (int i = 0; i < jobs; i++) {
            int number = i;
            calls.add(() -> job.run(number));
        }
        long sum = 0;
        for (Future<Long> answer : pool.invokeAll(calls)) {
            sum = sum * 31 + answer.get();
        }
        pool.shutdown();
        return sum;
    }

    // Memory outside the Java heap: each buffer is a block of malloc's, freed when the collector finds it unused.
    private static long directBuffers(int number) {
        List<ByteBuffer> kept = new ArrayList<>();
        long sum = 0;
        for (int i = 1; i <= 800; i++) {
            ByteBuffer buffer = ByteBuffer.allocateDirect(i * 97 % 60_000 + 1);
            while (buffer.hasRemaining()) {
                buffer.put((byte) (buffer.position() * 7 + i + number));
            }
            kept.add(buffer);
            if (kept.size() > 40) {
                sum += checksum(kept.remove(i % 40));
            }
        }
        return sum;
    }

    private static long checksum(ByteBuffer buffer) {
        CRC32 crc = new CRC32();
        buffer.flip();
        crc.update(buffer);
        return crc.getValue();
    }

    private static long compression(int number) throws Exception {
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < 20_000; i++) {
            text.append(i * (number + 3) % 1013).append(i % 5 == 0 ? '\n' : ' ');
        }
        byte[] plain = text.toString().getBytes(StandardCharsets.UTF_8);
        byte[] packed = new byte[plain.length];
        byte[] unpacked = new byte[plain.length];
        Deflater deflater = new Deflater(number % 9 + 1);
        deflater.setInput(plain);
        deflater.finish();
        int size = deflater.deflate(packed);
        deflater.end();
        Inflater inflater = new Inflater();
        inflater.setInput(packed, 0, size);
        int back = inflater.inflate(unpacked);
        inflater.end();
        if (back != plain.length || !Arrays.equals(plain, unpacked)) {
            throw new IllegalStateException("job " + number + " did not get back what it compressed");
        }
        CRC32 crc = new CRC32();
        crc.update(packed, 0, size);
        return crc.getValue();
    }

    private static long collections(int number) {
        Map<String, List<Integer>> map = new HashMap<>();
        for (int i = 0; i < 60_000; i++) {
            map.computeIfAbsent("key " + i * 31 % 7001, key -> new ArrayList<>()).add(i + number);
        }
        return new TreeMap<>(map).toString().hashCode();
    }

    private static long expressions(int number) {
        String text = IntStream.range(0, 5_000).mapToObj(i -> "name" + i * number + "=" + i % 97)
            .collect(Collectors.joining(";"));
        return Pattern.compile("(\\w+?)(\\d+)=(\\d+)").matcher(text).replaceAll("$3:$1<$2>").hashCode();
    }

    // Two threads make direct buffers, two others take them over and let them go.
    private static long pipeline() throws Exception {
        BlockingQueue<ByteBuffer> queue = new ArrayBlockingQueue<>(64);
        AtomicLong taken = new AtomicLong();
        inThreads(THREADS, number -> {
            for (int i = 1; i <= 1_000; i++) {
                if (number % 2 == 0) {
                    queue.put(ByteBuffer.allocateDirect(i * 53 % 20_000 + 8).putInt(0, i));
                } else {
                    taken.addAndGet(queue.take().getInt(0));
                }
            }
            return 0;
        });
        return taken.get();
    }

    private static long shortThreads() throws Exception {
        long[] answers = new long[400];
        for (int first = 0; first < answers.length; first += THREADS) {
            Thread[] threads = new Thread[THREADS];
            for (int i = 0; i < THREADS; i++) {
                int number = first + i;
                threads[i] = new Thread(() -> answers[number] = ByteBuffer.allocateDirect(number * 100 + 1).capacity());
                threads[i].start();
            }
            for (Thread thread : threads) {
                thread.join();
            }
        }
        return Arrays.stream(answers).sum();
    }
}

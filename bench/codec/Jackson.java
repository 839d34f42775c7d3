/* Jackson's Smile, measured inside its own JVM: each file is read to a tree and written back, again and again until the
 * compiler has done its work, then in rounds of which the median counts. A ".json" file is first turned into Jackson's
 * own Smile.
 *
 *     java -cp JARS Jackson.java ROUNDS FILE...
 *
 * Time is the thread's own on the processor, so collecting garbage and compiling are left out, in Jackson's favour.
 * Prints one line a file: NAME decode-ns encode-ns. */
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.ObjectReader;
import com.fasterxml.jackson.databind.ObjectWriter;
import com.fasterxml.jackson.dataformat.smile.SmileFactory;
import java.io.ByteArrayOutputStream;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;

public class Jackson {
    private static final long WARM_UP_NS = 2_000_000_000L;
    private static final long SAMPLE_NS = 30_000_000L;
    private static final ThreadMXBean THREADS = ManagementFactory.getThreadMXBean();
    private static long sink;

    private interface Work {
        int once() throws Exception;
    }

    private static double sample(Work work, long repeats) throws Exception {
        long begin = THREADS.getCurrentThreadCpuTime();
        for (long i = 0; i < repeats; i++) {
            sink += work.once();
        }
        return (double) (THREADS.getCurrentThreadCpuTime() - begin) / repeats;
    }

    private static double median(Work work, int rounds) throws Exception {
        long calls = 0;
        long begin = THREADS.getCurrentThreadCpuTime();
        while (THREADS.getCurrentThreadCpuTime() - begin < WARM_UP_NS) {
            sink += work.once();
            calls++;
        }
        long repeats = Math.max(1, calls * SAMPLE_NS / WARM_UP_NS);
        double[] samples = new double[rounds];
        for (int i = 0; i < rounds; i++) {
            samples[i] = sample(work, repeats);
        }
        Arrays.sort(samples);
        return samples[rounds / 2];
    }

    public static void main(String[] args) throws Exception {
        int rounds = Integer.parseInt(args[0]);
        ObjectMapper smile = new ObjectMapper(new SmileFactory());
        ObjectReader reader = smile.readerFor(JsonNode.class);
        ObjectWriter writer = smile.writerFor(JsonNode.class);
        for (int i = 1; i < args.length; i++) {
            Path path = Path.of(args[i]);
            String name = path.getFileName().toString();
            byte[] bytes = Files.readAllBytes(path);
            if (name.endsWith(".json")) {
                bytes = writer.writeValueAsBytes(new ObjectMapper().readTree(bytes));
            }
            byte[] input = bytes;
            JsonNode tree = reader.readValue(input);
            ByteArrayOutputStream out = new ByteArrayOutputStream(2 * input.length + 64);
            double decode = median(() -> reader.<JsonNode>readValue(input).size(), rounds);
            double encode = median(() -> {
                out.reset();
                try (JsonGenerator generator = smile.getFactory().createGenerator(out)) {
                    writer.writeValue(generator, tree);
                }
                return out.size();
            }, rounds);
            System.out.printf("%s %.1f %.1f%n", name.substring(0, name.lastIndexOf('.')), decode, encode);
        }
        if (sink == 42) {
            System.err.println(sink);
        }
    }
}

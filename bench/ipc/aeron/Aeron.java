/* Aeron for the IPC benchmark: one JVM with an embedded media driver and the sending side, another with the receiving side, as two
 * programs that use Aeron would be. Publications are exclusive, idle strategies spin, the driver has one thread of its own (SHARED) that
 * backs off: for ipc it only moves the publisher's limit. Everything is warmed up before it counts.
 *
 *     java Aeron send|receive FOLDER ROUNDS CORES...
 *
 * The sender prints a line for each sample: "trip MEDIAN P99 P99.9" in us, or "SIZE MESSAGES_A_SECOND". */
import io.aeron.Aeron.Context;
import io.aeron.ExclusivePublication;
import io.aeron.Subscription;
import io.aeron.driver.MediaDriver;
import io.aeron.driver.ThreadingMode;
import io.aeron.logbuffer.FragmentHandler;
import io.aeron.FragmentAssembler;
import java.util.Arrays;
import org.agrona.concurrent.BackoffIdleStrategy;
import org.agrona.concurrent.UnsafeBuffer;

public final class Aeron {
    static final int OUT = 10, BACK = 11, TRIPS = 20_000, WARM_UP_ROUNDS = 3;
    static final int[] SIZES = {48, 1024, 65536, 1048576};
    static final int[] COUNTS = {1_000_000, 200_000, 4_000, 400};
    static final String CHANNEL = "aeron:ipc?term-length=64m";

    static long received;
    static int receivedSize;

    static void offer(ExclusivePublication publication, UnsafeBuffer bytes, int size) {
        while (publication.offer(bytes, 0, size) < 0) {
            Thread.onSpinWait();
        }
    }

    static void await(Subscription subscription, FragmentHandler handler, long until) {
        while (received < until) {
            if (subscription.poll(handler, 64) == 0) {
                Thread.onSpinWait();
            }
        }
    }

    static void trips(ExclusivePublication out, Subscription back, FragmentHandler handler, UnsafeBuffer bytes, boolean isCounted) {
        double[] times = new double[TRIPS];
        for (int i = 0; i < TRIPS; i++) {
            long begin = System.nanoTime();
            offer(out, bytes, 64);
            await(back, handler, received + 1);
            times[i] = (System.nanoTime() - begin) / 1e3;
        }
        Arrays.sort(times);
        if (isCounted) {
            System.out.printf("trip %.3f %.3f %.3f%n", times[TRIPS / 2], times[TRIPS * 99 / 100], times[TRIPS * 999 / 1000]);
        }
    }

    /* The receiver answers when it has all of them; what that answer takes is part of the time, and small. */
    static void way(int which, ExclusivePublication out, Subscription back, FragmentHandler handler, UnsafeBuffer bytes,
            boolean isCounted) {
        long begin = System.nanoTime();
        for (int i = 0; i < COUNTS[which]; i++) {
            offer(out, bytes, SIZES[which]);
        }
        await(back, handler, received + 1);
        if (isCounted) {
            System.out.printf("%d %.0f%n", SIZES[which], COUNTS[which] / ((System.nanoTime() - begin) / 1e9));
        }
    }

    static void send(io.aeron.Aeron aeron, int rounds) {
        UnsafeBuffer bytes = new UnsafeBuffer(new byte[1 << 20]), copy = new UnsafeBuffer(new byte[1 << 20]);
        FragmentHandler handler = new FragmentAssembler((buffer, offset, length, header) -> {
            copy.putBytes(0, buffer, offset, length);
            received++;
        });
        try (ExclusivePublication out = aeron.addExclusivePublication(CHANNEL, OUT);
                Subscription back = aeron.addSubscription(CHANNEL, BACK)) {
            while (!out.isConnected() || !back.isConnected()) {
                Thread.onSpinWait();
            }
            for (int round = -WARM_UP_ROUNDS; round < rounds; round++) {
                trips(out, back, handler, bytes, round >= 0);
                for (int which = 0; which < SIZES.length; which++) {
                    way(which, out, back, handler, bytes, round >= 0);
                }
            }
        }
    }

    static void receive(io.aeron.Aeron aeron, int rounds) {
        UnsafeBuffer copy = new UnsafeBuffer(new byte[1 << 20]);
        FragmentHandler handler = new FragmentAssembler((buffer, offset, length, header) -> {
            copy.putBytes(0, buffer, offset, length);
            received++;
        });
        try (Subscription in = aeron.addSubscription(CHANNEL, OUT);
                ExclusivePublication back = aeron.addExclusivePublication(CHANNEL, BACK)) {
            while (!in.isConnected() || !back.isConnected()) {
                Thread.onSpinWait();
            }
            for (int round = -WARM_UP_ROUNDS; round < rounds; round++) {
                for (int i = 0; i < TRIPS; i++) {
                    await(in, handler, received + 1);
                    offer(back, copy, 64);
                }
                for (int which = 0; which < SIZES.length; which++) {
                    await(in, handler, received + COUNTS[which]);
                    offer(back, copy, 8);
                }
            }
        }
    }

    public static void main(String[] args) {
        boolean isSender = args[0].equals("send");
        int rounds = Integer.parseInt(args[2]);
        Context context = new Context().aeronDirectoryName(args[1]);
        MediaDriver driver = null;
        if (isSender) {
            driver = MediaDriver.launchEmbedded(new MediaDriver.Context()
                    .aeronDirectoryName(args[1])
                    .threadingMode(ThreadingMode.SHARED)
                    .sharedIdleStrategy(new BackoffIdleStrategy(1, 1, 1_000, 100_000))
                    .ipcTermBufferLength(64 << 20)
                    .dirDeleteOnStart(true)
                    .dirDeleteOnShutdown(true));
        }
        try (io.aeron.Aeron aeron = io.aeron.Aeron.connect(context)) {
            if (isSender) {
                send(aeron, rounds);
            } else {
                receive(aeron, rounds);
            }
        }
        if (driver != null) {
            driver.close();
        }
    }
}

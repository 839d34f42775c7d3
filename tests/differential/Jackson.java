/* Jackson: its streaming parsers and generators of Smile or CBOR, named by the argument, over a tree of plain objects,
 * so that names may repeat and no number changes its type. Run from its source; the jars are on the class path. */
import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.dataformat.cbor.CBORFactory;
import com.fasterxml.jackson.dataformat.cbor.CBORGenerator;
import com.fasterxml.jackson.dataformat.cbor.CBORParser;
import com.fasterxml.jackson.dataformat.smile.SmileFactory;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.util.AbstractMap.SimpleEntry;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;

public final class Jackson {
    /* The pairs of a map in their order; a List is an array. */
    private static final class Pairs extends ArrayList<Map.Entry<String, Object>> {
    }

    private static JsonFactory factory;

    /* ---- bytes to tree and back ---- */

    private static Object read(JsonParser parser, JsonToken token, int depth) throws IOException {
        if (depth > 64)
            throw new IOException("deeper than the limit that this peer has");
        switch (token) {
        case START_OBJECT: {
            Pairs pairs = new Pairs();
            while (parser.nextToken() == JsonToken.FIELD_NAME) {
                String name = parser.currentName();
                pairs.add(new SimpleEntry<>(name, read(parser, parser.nextToken(), depth + 1)));
            }
            return pairs;
        }
        case START_ARRAY: {
            List<Object> items = new ArrayList<>();
            for (JsonToken next; (next = parser.nextToken()) != JsonToken.END_ARRAY;)
                items.add(read(parser, next, depth + 1));
            return items;
        }
        case VALUE_NULL: return null;
        case VALUE_TRUE: return true;
        case VALUE_FALSE: return false;
        case VALUE_STRING: return parser.getText();
        case VALUE_EMBEDDED_OBJECT: return parser.getBinaryValue();
        case VALUE_NUMBER_INT:
        case VALUE_NUMBER_FLOAT: return parser.getNumberValue();
        default: throw new IOException("a token where none may be: " + token);
        }
    }

    private static Object decode(byte[] data) throws IOException {
        try (JsonParser parser = factory.createParser(data)) {
            JsonToken token = parser.nextToken();
            if (token == null)
                throw new IOException("no value");
            Object value = read(parser, token, 0);
            if (parser.nextToken() != null)
                throw new IOException("data behind the value");
            return value;
        }
    }

    private static void write(JsonGenerator to, Object value) throws IOException {
        if (value instanceof Pairs) {
            Pairs pairs = (Pairs)value;
            to.writeStartObject(value, pairs.size());
            for (Map.Entry<String, Object> pair : pairs) {
                to.writeFieldName(pair.getKey());
                write(to, pair.getValue());
            }
            to.writeEndObject();
        } else if (value instanceof List) {
            List<?> items = (List<?>)value;
            to.writeStartArray(value, items.size());
            for (Object item : items)
                write(to, item);
            to.writeEndArray();
        } else
            writeScalar(to, value);
    }

    private static void writeScalar(JsonGenerator to, Object value) throws IOException {
        if (value == null)
            to.writeNull();
        else if (value instanceof Boolean)
            to.writeBoolean((Boolean)value);
        else if (value instanceof Integer)
            to.writeNumber((Integer)value);
        else if (value instanceof Long)
            to.writeNumber((Long)value);
        else if (value instanceof BigInteger)
            to.writeNumber((BigInteger)value);
        else if (value instanceof Float)
            to.writeNumber((Float)value);
        else if (value instanceof Double)
            to.writeNumber((Double)value);
        else if (value instanceof BigDecimal)
            to.writeNumber((BigDecimal)value);
        else if (value instanceof byte[])
            to.writeBinary((byte[])value);
        else
            to.writeString((String)value);
    }

    private static byte[] encode(Object value) throws IOException {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        try (JsonGenerator generator = factory.createGenerator(out)) {
            write(generator, value);
        }
        return out.toByteArray();
    }

    /* ---- the neutral text ---- */

    private static void quote(String text, StringBuilder out) {
        out.append('"');
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (c >= 0x20 && c < 0x7f && c != '"' && c != '\\')
                out.append(c);
            else
                out.append(String.format("\\u%04x", (int)c));
        }
        out.append('"');
    }

    private static void hexadecimal(byte[] data, StringBuilder out) {
        out.append("{\"$bin\":\"");
        for (byte b : data)
            out.append(Character.forDigit(b >> 4 & 15, 16)).append(Character.forDigit(b & 15, 16));
        out.append("\"}");
    }

    private static void print(Object value, StringBuilder out) {
        if (value instanceof String)
            quote((String)value, out);
        else if (value instanceof byte[])
            hexadecimal((byte[])value, out);
        else if (value instanceof Float)
            out.append(String.format("{\"$f32\":\"%08x\"}", Float.floatToRawIntBits((Float)value)));
        else if (value instanceof Double)
            out.append(String.format("{\"$f64\":\"%016x\"}", Double.doubleToRawLongBits((Double)value)));
        else if (value instanceof BigDecimal) {
            BigDecimal decimal = (BigDecimal)value;
            out.append("{\"$decimal\":[\"").append(decimal.unscaledValue()).append("\",").append(decimal.scale());
            out.append("]}");
        } else if (value instanceof List)
            printItems((List<?>)value, value instanceof Pairs, out);
        else
            out.append(value);
    }

    private static void printItems(List<?> items, boolean isMap, StringBuilder out) {
        String separator = "";
        out.append(isMap ? "{\"$obj\":[" : "[");
        for (Object item : items) {
            out.append(separator);
            separator = ",";
            if (isMap) {
                Map.Entry<?, ?> pair = (Map.Entry<?, ?>)item;
                out.append('[');
                print(pair.getKey(), out);
                out.append(',');
                print(pair.getValue(), out);
                out.append(']');
            } else
                print(item, out);
        }
        out.append(isMap ? "]}" : "]");
    }

    /* ---- random trees ---- */

    private static long integer(Random random) {
        long number = random.nextBoolean() ? 1L << random.nextInt(64) : random.nextLong() >> random.nextInt(64);
        return number + random.nextInt(3) - 1;
    }

    private static String text(Random random) {
        String[] pieces = {"a", "b", "Z", "\"", "\\", "\n", "\0", "\u007f", "\u0080", "\u00e9", "\u20ac",
                           "\ud83c\udf0d", "\udbff\udfff"};
        int[] sizes = {0, 1, 31, 32, 33, 55, 56, 57, 63, 64, 65, 66, random.nextInt(12), random.nextInt(12)};
        int size = sizes[random.nextInt(sizes.length)];
        int some = random.nextBoolean() ? 3 : pieces.length;
        StringBuilder text = new StringBuilder();
        while (text.length() < size)
            text.append(pieces[random.nextInt(some)]);
        return text.toString();
    }

    private static double floating(Random random) {
        double[] borders = {0.0, -0.0, 1, 0.1, 65504, 65520, Double.MIN_VALUE, Double.MAX_VALUE, Double.NaN,
                            Double.POSITIVE_INFINITY, Double.NEGATIVE_INFINITY, Float.MAX_VALUE, Float.MIN_VALUE};
        double any = Double.longBitsToDouble(random.nextLong());
        return random.nextBoolean() ? borders[random.nextInt(borders.length)] : Double.isNaN(any) ? 0.5 : any;
    }

    private static Object scalar(Random random) {
        switch (random.nextInt(9)) {
        case 0: return null;
        case 1: return random.nextBoolean();
        case 2: return (int)integer(random);
        case 3: return integer(random);
        case 4: { /* beyond 63 bits, because Jackson writes also small ones as what their type is */
            int bits = 63 + random.nextInt(150);
            if (factory instanceof CBORFactory) /* it reads those as signed whose highest bit is that of a byte */
                bits = (bits + 7) / 8 * 8;
            BigInteger great = BigInteger.ONE.shiftLeft(bits).add(new BigInteger(bits - 1, random));
            return random.nextBoolean() ? great : great.negate().subtract(BigInteger.ONE);
        }
        case 5: return random.nextBoolean() ? (Object)(float)floating(random) : (Object)floating(random);
        case 6: { /* in CBOR it reads longer ones with another sign than everybody */
            int bits = factory instanceof SmileFactory ? 150 : 62;
            BigInteger digits = new BigInteger(random.nextInt(bits), random);
            return new BigDecimal(random.nextBoolean() ? digits : digits.negate(), random.nextInt(2000) - 1000);
        }
        case 7: {
            byte[] data = new byte[random.nextInt(40)];
            random.nextBytes(data);
            return data;
        }
        default: return text(random);
        }
    }

    private static Object any(Random random, int depth) {
        if (depth == 0 || (depth < 6 && random.nextInt(3) > 0))
            return scalar(random);
        int count = random.nextInt(depth == 1 ? 200 : 6);
        if (random.nextBoolean()) {
            List<Object> items = new ArrayList<>();
            for (int i = 0; i < count; i++)
                items.add(any(random, depth - 1));
            return items;
        }
        Pairs pairs = new Pairs();
        for (int i = 0; i < count; i++)
            pairs.add(new SimpleEntry<>(random.nextBoolean() ? "k" + random.nextInt(9) : text(random),
                                        any(random, depth - 1)));
        return pairs;
    }

    /* ---- frames ---- */

    private static void answer(DataOutputStream to, char kind, byte[] text, byte[] again) throws IOException {
        to.writeInt(1 + text.length + (kind == 'y' ? 4 + again.length : 0));
        to.write(kind);
        if (kind == 'y')
            to.writeInt(text.length);
        to.write(text);
        to.write(again);
        to.flush();
    }

    private static void answer(DataOutputStream to, byte[] request) throws IOException {
        Object value;
        byte[] again = {};
        try {
            if (request[0] == 'g') {
                long seed = new BigInteger(request).longValue(); /* the last eight bytes */
                value = any(new Random(seed), 6);
            } else
                value = decode(java.util.Arrays.copyOfRange(request, 1, request.length));
        } catch (IOException | RuntimeException | StackOverflowError problem) {
            String sentence = problem.getClass().getSimpleName() + ": " + problem.getMessage();
            answer(to, 'n', sentence.getBytes(StandardCharsets.UTF_8), again);
            return;
        }
        StringBuilder text = new StringBuilder();
        print(value, text);
        try {
            again = encode(value);
        } catch (IOException | RuntimeException problem) {
            /* a value that it reads but does not write, such as half of a surrogate pair: nothing again */
        }
        answer(to, 'y', text.toString().getBytes(StandardCharsets.UTF_8), again);
    }

    public static void main(String[] args) throws IOException {
        StreamReadConstraints limits = StreamReadConstraints.builder().maxNumberLength(Integer.MAX_VALUE).build();
        boolean isSmile = args[0].equals("smile");
        /* Without these two, Jackson's negative integers beyond 64 bits are off by one, as it always had them. */
        factory = isSmile ? SmileFactory.builder().streamReadConstraints(limits).build()
                          : CBORFactory.builder()
                                .streamReadConstraints(limits)
                                .enable(CBORParser.Feature.DECODE_USING_STANDARD_NEGATIVE_BIGINT_ENCODING)
                                .enable(CBORGenerator.Feature.ENCODE_USING_STANDARD_NEGATIVE_BIGINT_ENCODING)
                                .build();
        DataInputStream from = new DataInputStream(new java.io.BufferedInputStream(System.in));
        DataOutputStream to = new DataOutputStream(new java.io.BufferedOutputStream(System.out));
        String hello = "Jackson " + factory.version() + ", " + args[0];
        answer(to, 'y', hello.getBytes(StandardCharsets.UTF_8), new byte[0]);
        try {
            while (true) {
                byte[] request = new byte[from.readInt()];
                from.readFully(request);
                answer(to, request);
            }
        } catch (EOFException end) {
            return;
        }
    }
}

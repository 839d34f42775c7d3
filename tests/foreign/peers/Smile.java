/* Smile with Jackson, over a socket or in a file: Smile.java write|read|call|append|load PLACE N. */
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.MappingIterator;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.dataformat.smile.databind.SmileMapper;
import java.io.*;
import java.net.*;
import java.nio.channels.*;
import java.nio.file.*;
import java.util.*;

public class Smile {
    static final ObjectMapper smile = new SmileMapper().disable(JsonGenerator.Feature.AUTO_CLOSE_TARGET);
    static final ObjectMapper json = new ObjectMapper();

    static Map<String, Object> series(int i) {
        Map<String, Object> data = new LinkedHashMap<>(), message = new LinkedHashMap<>();
        data.put("i", i);
        data.put("big", 9007199254740993L + i);
        data.put("half", i + 0.5);
        data.put("text", "zwölf €𝄞 \"" + i + "\"");
        data.put("list", Arrays.asList(null, true, List.of(i)));
        message.put("op", "reading");
        message.put("meta", Map.of("unit", "V"));
        message.put("data", data);
        return message;
    }

    static SocketChannel connected(String place) throws IOException {
        if (place.startsWith("/"))
            return SocketChannel.open(UnixDomainSocketAddress.of(place));
        String[] parts = place.split(":");
        return SocketChannel.open(new InetSocketAddress(parts[0], Integer.parseInt(parts[1])));
    }

    static void show(JsonNode node) throws IOException {
        System.out.write(json.writeValueAsBytes(((ObjectNode) node).retain("op", "meta", "data")));
        System.out.println();
    }

    public static void main(String[] words) throws Exception {
        String what = words[0], place = words[1];
        int count = Integer.parseInt(words[2]);
        boolean isFile = what.equals("append") || what.equals("load");
        SocketChannel channel = isFile ? null : connected(place);
        OutputStream out = what.equals("append") ? new FileOutputStream(place, true)
            : isFile ? OutputStream.nullOutputStream() : Channels.newOutputStream(channel);
        InputStream in = what.equals("load") ? new FileInputStream(place)
            : isFile ? InputStream.nullInputStream() : Channels.newInputStream(channel);
        MappingIterator<JsonNode> messages = null;
        for (int i = 0; i < count; i++) {
            if (what.equals("write") || what.equals("append")) {
                out.write(smile.writeValueAsBytes(series(i)));
                continue;
            }
            if (what.equals("call")) {
                out.write(smile.writeValueAsBytes(Map.of("id", i + 1, "op", "double", "data", i)));
                out.flush();
            }
            if (messages == null)
                messages = smile.readerFor(JsonNode.class).readValues(in);
            JsonNode message = messages.nextValue();
            if (what.equals("call"))
                System.out.println(message.get("data"));
            else
                show(message);
        }
        out.close();
    }
}

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;

/** The constants of published.py, and where the server is. */
final class Published {
    static final String R4 = System.getenv("FHIR_R4");
    static final String R5 = System.getenv("FHIR_R5");
    static final JsonNode ALL = read();
    static final String CPT = text("CPT");
    static final String CONCEPTS = text("CONCEPTS");
    static final String BOTH = text("BOTH");
    static final String OWN_USE = text("OWN_USE");
    static final String LABEL = ALL.get("LABELS").get("en").asText();
    static final String GERMAN = ALL.get("LABELS").get("de").asText();
    static final String DONOR_LABEL = text("DONOR_LABEL");
    static final String NOT_A_CODE = text("NOT_A_CODE");

    static String text(String name) {
        return ALL.get(name).asText();
    }

    private static JsonNode read() {
        try {
            return new ObjectMapper().readTree(new File(System.getenv("PUBLISHED")));
        } catch (IOException exception) {
            throw new UncheckedIOException(exception);
        }
    }
}

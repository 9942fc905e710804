package hapivalidate;

import ca.uhn.fhir.context.FhirContext;
import ca.uhn.fhir.context.support.IValidationSupport;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;

/**
 * Tells the validator which elements R5 has, so that it checks the cross-version extensions that carry them in R4
 * (http://hl7.org/fhir/R5/versions.html#extensions). The list is made from HL7's definitions, package
 * hl7.fhir.r5.core 5.0.0; without it every such extension is an error, "invalid Version".
 */
record R5Elements(FhirContext getFhirContext) implements IValidationSupport {
  @Override
  public byte[] fetchBinary(String key) {
    if (!key.equals("xver-paths-5.0.json")) {
      return null;
    }
    try (InputStream list = R5Elements.class.getResourceAsStream(key)) {
      return list.readAllBytes();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}

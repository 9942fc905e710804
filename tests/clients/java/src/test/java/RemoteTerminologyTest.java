import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ca.uhn.fhir.context.FhirContext;
import ca.uhn.fhir.context.support.ConceptValidationOptions;
import ca.uhn.fhir.context.support.IValidationSupport.CodeValidationResult;
import ca.uhn.fhir.context.support.IValidationSupport.CodingConceptProperty;
import ca.uhn.fhir.context.support.IValidationSupport.LookupCodeResult;
import ca.uhn.fhir.context.support.IValidationSupport.StringConceptProperty;
import ca.uhn.fhir.context.support.IValidationSupport.TranslateCodeRequest;
import ca.uhn.fhir.context.support.IValidationSupport;
import ca.uhn.fhir.context.support.LookupCodeRequest;
import ca.uhn.fhir.context.support.TranslateConceptResult;
import ca.uhn.fhir.context.support.TranslateConceptResults;
import ca.uhn.fhir.context.support.ValidationSupportContext;
import com.fasterxml.jackson.databind.JsonNode;
import java.util.List;
import org.hl7.fhir.common.hapi.validation.support.RemoteTerminologyServiceValidationSupport;
import org.hl7.fhir.r4.model.CodeSystem;
import org.hl7.fhir.r4.model.Coding;
import org.hl7.fhir.r4.model.ValueSet;
import org.junit.jupiter.api.Test;

/**
 * HAPI's RemoteTerminologyServiceValidationSupport, as HAPI servers and validators use it. It sends code (and to $lookup
 * also system) as valueString, asks for support by CodeSystem?url= without a version, and takes the first that is found.
 */
class RemoteTerminologyTest {
    private final RemoteTerminologyServiceValidationSupport support =
            new RemoteTerminologyServiceValidationSupport(FhirContext.forR4Cached(), Published.R4);
    private final ValidationSupportContext context = new ValidationSupportContext(support);

    private CodeValidationResult validate(String system, String code, String display, String valueSet) {
        return support.validateCode(context, new ConceptValidationOptions(), system, code, display, valueSet);
    }

    @Test
    void aCodeIsValidatedInItsSystem() {
        CodeValidationResult known = validate(Published.CPT, "38232", null, null);
        assertTrue(known.isOk());
        assertEquals("38232", known.getCode());
        assertEquals(Published.LABEL, known.getDisplay());
        assertEquals("2026", known.getCodeSystemVersion());
    }

    @Test
    void anUnknownCodeOfAFragmentPasses() {
        assertTrue(validate(Published.CPT, Published.NOT_A_CODE, null, null).isOk());
    }

    @Test
    void anUnknownCodeOfACompleteSystemDoesNot() {
        CodeValidationResult unknown = validate(Published.CONCEPTS, "nope", null, null);
        assertFalse(unknown.isOk());
        assertTrue(unknown.getMessage().contains("nope"), unknown.getMessage());
        assertEquals(IValidationSupport.IssueSeverity.ERROR, unknown.getSeverity());
    }

    @Test
    void aCodeOfAnUnknownSystemDoesNot() {
        CodeValidationResult unknown = validate("http://example.org/none", "1", null, null);
        assertFalse(unknown.isOk());
        assertTrue(unknown.getMessage().contains("http://example.org/none"), unknown.getMessage());
    }

    @Test
    void membershipIsToldWithAMessageWhenItIsNotSo() {
        for (JsonNode row : Published.ALL.get("MEMBERSHIP")) {
            CodeValidationResult result = validate(Published.CPT, row.get(1).asText(), null, row.get(0).asText());
            assertEquals(row.get(2).asBoolean(), result.isOk(), row.toString());
            if (result.isOk()) {
                assertNull(result.getMessage());
            } else {
                assertTrue(result.getMessage().contains(row.get(3).asText()), result.getMessage());
                assertTrue(result.getIssues().stream().anyMatch(issue -> row.get(3).asText().equals(issue.getDetails().getText())));
                assertTrue(result.getIssues().stream().filter(issue -> issue.getSeverity() == IValidationSupport.IssueSeverity.ERROR)
                        .allMatch(issue -> issue.getDiagnostics() != null), "an error without diagnostics has no message in HAPI");
            }
        }
    }

    @Test
    void aValueSetOfTheClientIsAsked() {
        ValueSet mine = new ValueSet();
        mine.getCompose().addInclude().addValueSet(Published.OWN_USE);
        ConceptValidationOptions options = new ConceptValidationOptions();
        assertTrue(support.validateCodeInValueSet(context, options, Published.CPT, "38232", null, mine).isOk());
        assertFalse(support.validateCodeInValueSet(context, options, Published.CPT, "38230", null, mine).isOk());
    }

    @Test
    void lookupTellsTheFacts() {
        LookupCodeRequest request = new LookupCodeRequest(Published.CPT, "38232");
        LookupCodeResult result = support.lookupCode(context, request);
        assertTrue(result.isFound());
        assertEquals(Published.LABEL, result.getCodeDisplay());
        assertEquals("2026", result.getCodeSystemVersion());
        assertEquals(4, result.getDesignations().size());
        CodingConceptProperty donor = (CodingConceptProperty) property(result, "donor-type");
        assertEquals("self", donor.getCode());
        assertEquals(Published.text("VALUES"), donor.getCodeSystem());
        // HAPI 8.8.0 keeps strings, booleans and Codings; of any other type it writes down what Java's toString says.
        String volume = ((StringConceptProperty) property(result, "target-volume-litres")).getValue();
        assertTrue(volume.contains("1.9"), volume);
    }

    @Test
    void lookupOfOnePropertyTellsThatOne() {
        LookupCodeRequest request = new LookupCodeRequest(Published.CPT, "38232", null, List.of("donor-type"));
        LookupCodeResult result = support.lookupCode(context, request);
        assertEquals("self", ((CodingConceptProperty) property(result, "donor-type")).getCode());
        assertTrue(result.getProperties().stream().noneMatch(each -> each.getPropertyName().equals("site")));
    }

    @Test
    void lookupOfAnUnknownCodeTellsWhy() {
        LookupCodeResult result = support.lookupCode(context, new LookupCodeRequest(Published.CPT, Published.NOT_A_CODE));
        assertFalse(result.isFound());
        assertTrue(result.getErrorMessage().contains("cannot be judged"), result.getErrorMessage());
    }

    @Test
    void whatIsHeldIsSupportedAndWhatIsNotIsNot() {
        assertTrue(support.isCodeSystemSupported(context, Published.CPT));
        assertFalse(support.isCodeSystemSupported(context, "http://example.org/none"));
        assertTrue(support.isValueSetSupported(context, Published.BOTH));
        assertTrue(support.isValueSetSupported(context, Published.BOTH + "|1.0.0"));
        assertFalse(support.isValueSetSupported(context, "http://example.org/none"));
    }

    @Test
    void theCodeSystemThatIsFetchedIsTheNewestRelease() {
        assertEquals("2026", ((CodeSystem) support.fetchCodeSystem(Published.CPT)).getVersion());
    }

    @Test
    void aCodeIsTranslated() {
        TranslateCodeRequest request = new TranslateCodeRequest(
                List.of(new Coding(Published.CPT, "38232", null)), Published.CONCEPTS);
        TranslateConceptResults results = support.translateConcept(request);
        assertTrue(results.getResult());
        TranslateConceptResult match = results.getResults().get(0);
        assertEquals(1, results.getResults().size());
        assertEquals("equivalent", match.getEquivalence());
        assertEquals(Published.CONCEPTS, match.getSystem());
        assertEquals("harvest-own-use", match.getCode());
        assertTrue(match.getConceptMapUrl().startsWith(Published.text("TO_CONCEPTS")));
    }

    private static IValidationSupport.BaseConceptProperty property(LookupCodeResult result, String name) {
        return result.getProperties().stream().filter(each -> each.getPropertyName().equals(name)).findFirst().orElseThrow();
    }
}

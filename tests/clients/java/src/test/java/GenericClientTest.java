import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ca.uhn.fhir.context.FhirContext;
import ca.uhn.fhir.rest.api.EncodingEnum;
import ca.uhn.fhir.rest.api.SearchStyleEnum;
import ca.uhn.fhir.rest.client.api.IGenericClient;
import ca.uhn.fhir.rest.server.exceptions.InvalidRequestException;
import ca.uhn.fhir.rest.server.exceptions.MethodNotAllowedException;
import ca.uhn.fhir.rest.server.exceptions.ResourceNotFoundException;
import com.fasterxml.jackson.databind.JsonNode;
import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.hl7.fhir.r4.model.BooleanType;
import org.hl7.fhir.r4.model.Bundle;
import org.hl7.fhir.r4.model.CapabilityStatement;
import org.hl7.fhir.r4.model.CodeSystem;
import org.hl7.fhir.r4.model.CodeType;
import org.hl7.fhir.r4.model.Coding;
import org.hl7.fhir.r4.model.ConceptMap;
import org.hl7.fhir.r4.model.DateTimeType;
import org.hl7.fhir.r4.model.DecimalType;
import org.hl7.fhir.r4.model.OperationOutcome;
import org.hl7.fhir.r4.model.Parameters;
import org.hl7.fhir.r4.model.Parameters.ParametersParameterComponent;
import org.hl7.fhir.r4.model.StringType;
import org.hl7.fhir.r4.model.TerminologyCapabilities;
import org.hl7.fhir.r4.model.Type;
import org.hl7.fhir.r4.model.UriType;
import org.hl7.fhir.r4.model.ValueSet;
import org.junit.jupiter.api.Test;

/**
 * HAPI's generic client in R4. It fetches metadata first, likes XML and JSON equally on GET, and puts into the message of an
 * exception the status and the diagnostics of the first issue, not its text.
 */
class GenericClientTest {
    private static final FhirContext CONTEXT = FhirContext.forR4();
    private final IGenericClient client = CONTEXT.newRestfulGenericClient(Published.R4);

    private static Parameters code(String system, String code) {
        return new Parameters().addParameter("system", new UriType(system)).addParameter("code", new CodeType(code));
    }

    private Parameters ask(Class<? extends org.hl7.fhir.r4.model.Resource> type, String operation, Parameters input) {
        return client.operation().onType(type).named(operation).withParameters(input).execute();
    }

    private Parameters lookup(String code) {
        return client.operation().onType(CodeSystem.class).named("$lookup")
                .withParameters(code(Published.CPT, code)).useHttpGet().execute();
    }

    private static Type part(ParametersParameterComponent parameter, String name) {
        return parameter.getPart().stream().filter(each -> each.getName().equals(name)).findFirst().orElseThrow().getValue();
    }

    @Test
    void capabilityStatement() {
        CapabilityStatement statement = client.capabilities().ofType(CapabilityStatement.class).execute();
        assertEquals("4.0.1", statement.getFhirVersion().toCode());
        List<String> offered = statement.getRestFirstRep().getResource().stream()
                .flatMap(each -> each.getOperation().stream().map(operation -> each.getType() + "/" + operation.getName())).toList();
        assertTrue(offered.containsAll(List.of("CodeSystem/lookup", "CodeSystem/validate-code", "CodeSystem/subsumes",
                "ValueSet/expand", "ValueSet/validate-code", "ConceptMap/translate")), offered.toString());
    }

    @Test
    void terminologyCapabilities() {
        TerminologyCapabilities statement = client.fetchResourceFromUrl(TerminologyCapabilities.class,
                Published.R4 + "/metadata?mode=terminology");
        assertTrue(statement.getCodeSystem().stream().anyMatch(each -> Published.CPT.equals(each.getUri())));
    }

    @Test
    void lookupTellsTheFactsWithTheirTypes() {
        Map<String, List<String>> facts = new HashMap<>();
        Map<String, Type> others = new HashMap<>();
        for (ParametersParameterComponent each : lookup("38232").getParameter()) {
            if (!each.getName().equals("property")) {
                continue;
            }
            String name = ((CodeType) part(each, "code")).getValue();
            if (part(each, "value") instanceof Coding coding) {
                assertEquals(Published.text("VALUES"), coding.getSystem());
                facts.computeIfAbsent(name, key -> new ArrayList<>()).add(coding.getCode());
            } else {
                others.put(name, part(each, "value"));
            }
        }
        Map<String, List<String>> expected = new HashMap<>();
        Published.ALL.get("FACTS").fields().forEachRemaining(entry -> {
            List<String> codes = new ArrayList<>();
            entry.getValue().forEach(code -> codes.add(code.asText()));
            expected.put(entry.getKey(), codes);
        });
        assertEquals(expected, facts);
        assertEquals(new BigDecimal("1.9"), ((DecimalType) others.get("target-volume-litres")).getValue());
        assertEquals("2012-01-01", ((DateTimeType) others.get("valid-from")).getValueAsString());
        assertFalse(((BooleanType) others.get("inactive")).booleanValue());
    }

    @Test
    void lookupByPostAnswersAsByGet() {
        assertTrue(ask(CodeSystem.class, "$lookup", code(Published.CPT, "38232")).equalsDeep(lookup("38232")));
    }

    @Test
    void lookupTellsTheDesignationsWithTheirLanguages() {
        Map<String, String> labels = new HashMap<>();
        for (ParametersParameterComponent each : lookup("38232").getParameter()) {
            if (each.getName().equals("designation")) {
                labels.put(part(each, "language").primitiveValue(), part(each, "value").primitiveValue());
            }
        }
        Map<String, String> expected = new HashMap<>();
        Published.ALL.get("LABELS").fields().forEachRemaining(entry -> expected.put(entry.getKey(), entry.getValue().asText()));
        assertEquals(expected, labels);
    }

    @Test
    void lookupAnswersInGerman() {
        Parameters input = code(Published.CPT, "38232").addParameter("displayLanguage", new CodeType("de"));
        assertEquals(Published.GERMAN, ask(CodeSystem.class, "$lookup", input).getParameterValue("display").primitiveValue());
    }

    @Test
    void lookupInXmlAnswersAsInJson() {
        IGenericClient xml = CONTEXT.newRestfulGenericClient(Published.R4);
        xml.setEncoding(EncodingEnum.XML);
        Parameters answer = xml.operation().onType(CodeSystem.class).named("$lookup")
                .withParameters(code(Published.CPT, "38232")).execute();
        assertTrue(answer.equalsDeep(lookup("38232")));
    }

    @Test
    void membershipIsToldWithAMessageWhenItIsNotSo() {
        for (JsonNode row : Published.ALL.get("MEMBERSHIP")) {
            Parameters input = new Parameters().addParameter("url", new UriType(row.get(0).asText()))
                    .addParameter("system", new UriType(Published.CPT)).addParameter("code", new StringType(row.get(1).asText()));
            Parameters answer = ask(ValueSet.class, "$validate-code", input);
            assertEquals(row.get(2).asBoolean(), answer.getParameterBool("result"), row.toString());
            assertEquals(!row.get(2).asBoolean(), answer.hasParameter("message"), row.toString());
            if (answer.hasParameter("message")) {
                assertEquals(row.get(3).asText(), answer.getParameterValue("message").primitiveValue());
            }
        }
    }

    @Test
    void aCodeIsValidatedInItsSystem() {
        Parameters input = new Parameters().addParameter("url", new UriType(Published.CPT)).addParameter("code", new CodeType("38230"));
        Parameters known = ask(CodeSystem.class, "$validate-code", input);
        assertTrue(known.getParameterBool("result"));
        assertEquals(Published.DONOR_LABEL, known.getParameterValue("display").primitiveValue());
        input = new Parameters().addParameter("url", new UriType(Published.CPT)).addParameter("code", new CodeType(Published.NOT_A_CODE));
        Parameters unknown = ask(CodeSystem.class, "$validate-code", input);
        assertTrue(unknown.getParameterBool("result"));
        OperationOutcome issues = (OperationOutcome) unknown.getParameter().stream()
                .filter(each -> each.getName().equals("issues")).findFirst().orElseThrow().getResource();
        assertEquals(OperationOutcome.IssueSeverity.WARNING, issues.getIssueFirstRep().getSeverity());
        assertTrue(issues.getIssueFirstRep().getDetails().getText().contains(Published.text("MAYBE_ELSEWHERE")));
    }

    @Test
    void anExpansionListsTheCodesWithTheirDisplays() {
        ValueSet expanded = client.operation().onType(ValueSet.class).named("$expand")
                .withParameter(Parameters.class, "url", new UriType(Published.BOTH)).returnResourceType(ValueSet.class).execute();
        assertEquals(2, expanded.getExpansion().getTotal());
        assertEquals(List.of("38230", "38232"), expanded.getExpansion().getContains().stream().map(each -> each.getCode()).toList());
        assertEquals(Published.LABEL, expanded.getExpansion().getContains().get(1).getDisplay());
    }

    @Test
    void twoCodesAreCompared() {
        Parameters input = new Parameters().addParameter("system", new UriType(Published.CONCEPTS))
                .addParameter("codeA", new CodeType("harvest")).addParameter("codeB", new CodeType("harvest-own-use"));
        assertEquals("subsumes", ask(CodeSystem.class, "$subsumes", input).getParameterValue("outcome").primitiveValue());
    }

    @Test
    void aCodeIsTranslated() {
        Parameters input = code(Published.CPT, "38232").addParameter("url", new UriType(Published.text("TO_CONCEPTS")));
        Parameters answer = ask(ConceptMap.class, "$translate", input);
        assertTrue(answer.getParameterBool("result"));
        ParametersParameterComponent match = answer.getParameter().stream()
                .filter(each -> each.getName().equals("match")).findFirst().orElseThrow();
        assertEquals("equivalent", part(match, "equivalence").primitiveValue());
        assertEquals("harvest-own-use", ((Coding) part(match, "concept")).getCode());
        assertEquals(Published.CONCEPTS, ((Coding) part(match, "concept")).getSystem());
    }

    @Test
    void aSearchFollowsItsPages() {
        List<String> releases = new ArrayList<>();
        Bundle bundle = client.search().forResource(CodeSystem.class).where(CodeSystem.URL.matches().value(Published.CPT))
                .count(5).returnBundle(Bundle.class).execute();
        assertEquals(16, bundle.getTotal());
        bundle.getEntry().forEach(each -> releases.add(((CodeSystem) each.getResource()).getVersion()));
        while (bundle.getLink(Bundle.LINK_NEXT) != null) {
            bundle = client.loadPage().next(bundle).execute();
            bundle.getEntry().forEach(each -> releases.add(((CodeSystem) each.getResource()).getVersion()));
        }
        assertEquals(IntStream.rangeClosed(2011, 2026).mapToObj(Integer::toString).toList(), releases.stream().sorted().toList());
    }

    @Test
    void aSearchMayBePosted() {
        Bundle bundle = client.search().forResource(ValueSet.class).where(ValueSet.URL.matches().value(Published.BOTH))
                .usingStyle(SearchStyleEnum.POST).returnBundle(Bundle.class).execute();
        assertEquals("bone-marrow-harvest", bundle.getEntryFirstRep().getResource().getIdElement().getIdPart());
    }

    @Test
    void readingByIdGivesWhatTheSearchFound() {
        CodeSystem read = client.read().resource(CodeSystem.class).withId("cpt-2026").execute();
        assertEquals(Published.CPT, read.getUrl());
        Bundle found = client.search().forResource(CodeSystem.class).where(CodeSystem.URL.matches().value(Published.CPT))
                .and(CodeSystem.VERSION.exactly().code("2026")).returnBundle(Bundle.class).execute();
        CodeSystem first = (CodeSystem) found.getEntryFirstRep().getResource();
        assertEquals(1, found.getTotal());
        assertEquals("cpt-2026", first.getIdElement().getIdPart());
        assertEquals(read.getConcept().stream().map(each -> each.getCode()).toList(), first.getConcept().stream().map(each -> each.getCode()).toList());
    }

    @Test
    void whatIsNotThereIsAnExceptionWithTheWordsOfTheOutcome() {
        ResourceNotFoundException none = assertThrows(ResourceNotFoundException.class,
                () -> client.read().resource(CodeSystem.class).withId("nope").execute());
        assertTrue(none.getMessage().contains(Published.text("UNKNOWN_ID")), none.getMessage());
        ResourceNotFoundException unknown = assertThrows(ResourceNotFoundException.class, () -> lookup(Published.NOT_A_CODE));
        assertTrue(unknown.getMessage().contains("cannot be judged"), unknown.getMessage());
        OperationOutcome outcome = (OperationOutcome) unknown.getOperationOutcome();
        assertEquals(Published.text("UNKNOWN_CODE"), outcome.getIssueFirstRep().getDetails().getText());
    }

    @Test
    void aRefusalIsAnExceptionWithTheWordsOfTheOutcome() {
        Parameters input = new Parameters().addParameter("system", new UriType(Published.CPT));
        InvalidRequestException refused = assertThrows(InvalidRequestException.class, () -> ask(CodeSystem.class, "$lookup", input));
        OperationOutcome outcome = (OperationOutcome) refused.getOperationOutcome();
        assertTrue(refused.getMessage().contains(outcome.getIssueFirstRep().getDetails().getText()), refused.getMessage());
    }

    @Test
    void aResourceIsNotCreatedHere() {
        CodeSystem mine = new CodeSystem().setUrl("http://example.org/mine");
        MethodNotAllowedException refused = assertThrows(MethodNotAllowedException.class,
                () -> client.create().resource(mine).execute());
        assertTrue(refused.getOperationOutcome() instanceof OperationOutcome);
    }

    @Test
    void aBatchAnswersEachEntryInItsPlace() {
        Bundle batch = new Bundle().setType(Bundle.BundleType.BATCH);
        batch.addEntry().setResource(code(Published.CPT, "38232")).getRequest().setMethod(Bundle.HTTPVerb.POST).setUrl("CodeSystem/$lookup");
        batch.addEntry().getRequest().setMethod(Bundle.HTTPVerb.GET).setUrl("CodeSystem/nope");
        Bundle answer = client.transaction().withBundle(batch).execute();
        assertEquals(Bundle.BundleType.BATCHRESPONSE, answer.getType());
        assertEquals(Published.LABEL, ((Parameters) answer.getEntry().get(0).getResource()).getParameterValue("display").primitiveValue());
        assertTrue(answer.getEntry().get(1).getResponse().getStatus().startsWith("404"));
        OperationOutcome outcome = (OperationOutcome) answer.getEntry().get(1).getResponse().getOutcome();
        assertEquals(Published.text("UNKNOWN_ID"), outcome.getIssueFirstRep().getDetails().getText());
    }
}

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ca.uhn.fhir.context.FhirContext;
import ca.uhn.fhir.rest.client.api.IGenericClient;
import ca.uhn.fhir.rest.server.exceptions.ResourceNotFoundException;
import com.fasterxml.jackson.databind.JsonNode;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.hl7.fhir.r5.model.Bundle;
import org.hl7.fhir.r5.model.CapabilityStatement;
import org.hl7.fhir.r5.model.CodeSystem;
import org.hl7.fhir.r5.model.CodeType;
import org.hl7.fhir.r5.model.Coding;
import org.hl7.fhir.r5.model.ConceptMap;
import org.hl7.fhir.r5.model.DataType;
import org.hl7.fhir.r5.model.Parameters;
import org.hl7.fhir.r5.model.Parameters.ParametersParameterComponent;
import org.hl7.fhir.r5.model.Resource;
import org.hl7.fhir.r5.model.UriType;
import org.hl7.fhir.r5.model.ValueSet;
import org.junit.jupiter.api.Test;

/** HAPI's generic client in R5. */
class GenericClientR5Test {
    private final IGenericClient client = FhirContext.forR5().newRestfulGenericClient(Published.R5);

    private Parameters ask(Class<? extends Resource> type, String operation, Parameters input) {
        return client.operation().onType(type).named(operation).withParameters(input).execute();
    }

    private static Parameters code(String system, String code) {
        return new Parameters().addParameter("system", new UriType(system)).addParameter("code", new CodeType(code));
    }

    private static DataType part(ParametersParameterComponent parameter, String name) {
        return parameter.getPart().stream().filter(each -> each.getName().equals(name)).findFirst().orElseThrow().getValue();
    }

    @Test
    void capabilityStatement() {
        assertEquals("5.0.0", client.capabilities().ofType(CapabilityStatement.class).execute().getFhirVersion().toCode());
    }

    @Test
    void lookupTellsTheFactsWithTheirTypes() {
        Parameters byGet = client.operation().onType(CodeSystem.class).named("$lookup")
                .withParameters(code(Published.CPT, "38232")).useHttpGet().execute();
        assertEquals(Published.LABEL, byGet.getParameterValue("display").primitiveValue());
        Map<String, DataType> facts = new HashMap<>();
        byGet.getParameter().stream().filter(each -> each.getName().equals("property"))
                .forEach(each -> facts.put(part(each, "code").primitiveValue(), part(each, "value")));
        assertEquals("self", ((Coding) facts.get("donor-type")).getCode());
        assertEquals("decimal", facts.get("target-volume-litres").fhirType());
        assertEquals("dateTime", facts.get("valid-from").fhirType());
        assertTrue(ask(CodeSystem.class, "$lookup", code(Published.CPT, "38232")).equalsDeep(byGet));
    }

    @Test
    void membershipIsToldWithAMessageWhenItIsNotSo() {
        for (JsonNode row : Published.ALL.get("MEMBERSHIP")) {
            Parameters input = code(Published.CPT, row.get(1).asText()).addParameter("url", new UriType(row.get(0).asText()));
            Parameters answer = ask(ValueSet.class, "$validate-code", input);
            assertEquals(row.get(2).asBoolean(), answer.getParameterBool("result"), row.toString());
            assertEquals(row.get(2).asBoolean() ? null : row.get(3).asText(),
                    answer.hasParameter("message") ? answer.getParameterValue("message").primitiveValue() : null);
        }
    }

    @Test
    void anExpansionListsTheCodes() {
        ValueSet expanded = client.operation().onType(ValueSet.class).named("$expand")
                .withParameter(Parameters.class, "url", new UriType(Published.BOTH)).returnResourceType(ValueSet.class).execute();
        assertEquals(List.of("38230", "38232"), expanded.getExpansion().getContains().stream().map(each -> each.getCode()).toList());
    }

    @Test
    void aCodeIsTranslated() {
        Parameters input = new Parameters().addParameter("url", new UriType(Published.text("TO_CONCEPTS")))
                .addParameter("system", new UriType(Published.CPT)).addParameter("sourceCode", new CodeType("38232"));
        Parameters answer = ask(ConceptMap.class, "$translate", input);
        assertTrue(answer.getParameterBool("result"));
        ParametersParameterComponent match = answer.getParameter("match");
        assertEquals("equivalent", part(match, "relationship").primitiveValue());
        assertEquals("harvest-own-use", ((Coding) part(match, "concept")).getCode());
    }

    @Test
    void aSearchFindsEveryRelease() {
        Bundle bundle = client.search().forResource(CodeSystem.class).where(CodeSystem.URL.matches().value(Published.CPT))
                .returnBundle(Bundle.class).execute();
        assertEquals(16, bundle.getTotal());
        assertEquals(16, bundle.getEntry().size());
    }

    @Test
    void whatIsNotThereIsAnExceptionWithTheWordsOfTheOutcome() {
        ResourceNotFoundException none = assertThrows(ResourceNotFoundException.class,
                () -> client.read().resource(CodeSystem.class).withId("nope").execute());
        assertTrue(none.getMessage().contains(Published.text("UNKNOWN_ID")), none.getMessage());
    }
}

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ca.uhn.fhir.context.FhirContext;
import ca.uhn.fhir.context.support.DefaultProfileValidationSupport;
import ca.uhn.fhir.validation.FhirValidator;
import ca.uhn.fhir.validation.ResultSeverityEnum;
import ca.uhn.fhir.validation.SingleValidationMessage;
import ca.uhn.fhir.validation.ValidationOptions;
import java.util.List;
import org.hl7.fhir.common.hapi.validation.support.CommonCodeSystemsTerminologyService;
import org.hl7.fhir.common.hapi.validation.support.InMemoryTerminologyServerValidationSupport;
import org.hl7.fhir.common.hapi.validation.support.PrePopulatedValidationSupport;
import org.hl7.fhir.common.hapi.validation.support.RemoteTerminologyServiceValidationSupport;
import org.hl7.fhir.common.hapi.validation.support.ValidationSupportChain;
import org.hl7.fhir.common.hapi.validation.validator.FhirInstanceValidator;
import org.hl7.fhir.r4.model.ElementDefinition;
import org.hl7.fhir.r4.model.Enumerations;
import org.hl7.fhir.r4.model.Procedure;
import org.hl7.fhir.r4.model.Reference;
import org.hl7.fhir.r4.model.StructureDefinition;
import org.junit.jupiter.api.Test;

/** HAPI's validator with our server as its terminology: a Procedure of a profile that binds its code to a value set. */
class InstanceValidatorTest {
    private static final String PROFILE = "http://example.org/StructureDefinition/own-use-harvest";
    private static final FhirValidator VALIDATOR = validator(FhirContext.forR4Cached());

    private static FhirValidator validator(FhirContext context) {
        PrePopulatedValidationSupport profiles = new PrePopulatedValidationSupport(context);
        profiles.addStructureDefinition(profile());
        ValidationSupportChain chain = new ValidationSupportChain(
                new DefaultProfileValidationSupport(context), profiles, new CommonCodeSystemsTerminologyService(context),
                new InMemoryTerminologyServerValidationSupport(context),
                new RemoteTerminologyServiceValidationSupport(context, Published.R4));
        return context.newValidator().registerValidatorModule(new FhirInstanceValidator(chain));
    }

    private static StructureDefinition profile() {
        StructureDefinition profile = new StructureDefinition().setUrl(PROFILE).setName("OwnUseHarvest")
                .setStatus(Enumerations.PublicationStatus.ACTIVE).setAbstract(false)
                .setFhirVersion(Enumerations.FHIRVersion._4_0_1)
                .setKind(StructureDefinition.StructureDefinitionKind.RESOURCE).setType("Procedure")
                .setBaseDefinition("http://hl7.org/fhir/StructureDefinition/Procedure")
                .setDerivation(StructureDefinition.TypeDerivationRule.CONSTRAINT);
        ElementDefinition code = profile.getDifferential().addElement().setPath("Procedure.code").setMin(1);
        code.setId("Procedure.code");
        code.getBinding().setStrength(Enumerations.BindingStrength.REQUIRED).setValueSet(Published.OWN_USE);
        return profile;
    }

    private static List<SingleValidationMessage> findings(String code) {
        Procedure procedure = new Procedure().setStatus(Procedure.ProcedureStatus.COMPLETED)
                .setSubject(new Reference("Patient/1"));
        procedure.getCode().addCoding().setSystem(Published.CPT).setCode(code);
        return VALIDATOR.validateWithResult(procedure, new ValidationOptions().addProfile(PROFILE)).getMessages();
    }

    private static List<SingleValidationMessage> errors(String code) {
        return findings(code).stream().filter(each -> each.getSeverity().compareTo(ResultSeverityEnum.ERROR) >= 0).toList();
    }

    @Test
    void aProcedureWithACodeOfTheValueSetIsValid() {
        assertEquals(List.of(), errors("38232"));
    }

    @Test
    void aProcedureWithTheOtherCodeIsNot() {
        List<SingleValidationMessage> errors = errors("38230");
        assertTrue(errors.stream().anyMatch(each -> each.getMessage().contains(Published.OWN_USE)
                && each.getLocationString().contains("Procedure.code")), errors.toString());
    }
}

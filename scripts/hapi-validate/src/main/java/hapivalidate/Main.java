package hapivalidate;

import ca.uhn.fhir.context.FhirContext;
import ca.uhn.fhir.context.support.DefaultProfileValidationSupport;
import ca.uhn.fhir.validation.FhirValidator;
import ca.uhn.fhir.validation.ResultSeverityEnum;
import ca.uhn.fhir.validation.ValidationResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.hl7.fhir.common.hapi.validation.support.CommonCodeSystemsTerminologyService;
import org.hl7.fhir.common.hapi.validation.support.InMemoryTerminologyServerValidationSupport;
import org.hl7.fhir.common.hapi.validation.support.SnapshotGeneratingValidationSupport;
import org.hl7.fhir.common.hapi.validation.support.ValidationSupportChain;
import org.hl7.fhir.common.hapi.validation.validator.FhirInstanceValidator;

/** Validates every .json under a folder against base R4, offline. Exit 1 when any has an error. */
public final class Main {
  public static void main(String[] args) throws Exception {
    FhirContext ctx = FhirContext.forR4();
    ValidationSupportChain chain = new ValidationSupportChain(
        new DefaultProfileValidationSupport(ctx),
        new R5Elements(ctx),
        new CommonCodeSystemsTerminologyService(ctx),
        new InMemoryTerminologyServerValidationSupport(ctx),
        new SnapshotGeneratingValidationSupport(ctx));
    FhirInstanceValidator instance = new FhirInstanceValidator(chain);
    instance.setAnyExtensionsAllowed(true);
    FhirValidator validator = ctx.newValidator().registerValidatorModule(instance);
    List<Path> files;
    try (var walk = Files.walk(Path.of(args[0]))) {
      files = walk.filter(p -> p.toString().endsWith(".json")).sorted().toList();
    }
    int bad = 0;
    for (Path p : files) {
      long t = System.nanoTime();
      ValidationResult r = validator.validateWithResult(Files.readString(p));
      bad += r.isSuccessful() ? 0 : 1;
      System.out.printf("%s %s (%d ms)%n", r.isSuccessful() ? "ok  " : "FAIL", p, (System.nanoTime() - t) / 1000000);
      r.getMessages().stream().filter(m -> m.getSeverity().ordinal() >= ResultSeverityEnum.WARNING.ordinal())
          .forEach(m -> System.out.println("     " + m.getSeverity() + " " + m.getLocationString() + ": " + m.getMessage()));
    }
    System.out.printf("%d passed, %d failed%n", files.size() - bad, bad);
    System.exit(bad == 0 ? 0 : 1);
  }
}

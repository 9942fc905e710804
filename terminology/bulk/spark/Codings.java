package org.flaskfhirterminology;

import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.ByteArrayInputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedDeque;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.spark.SparkFiles;
import org.apache.spark.api.python.PythonUtils;
import org.apache.spark.broadcast.Broadcast;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.api.java.UDF5;

/**
 * The judge's side in Spark's own Java: rows of system, code, version, display and date.
 *
 * <p>A row that is plainly right is looked up in a table. Of every other coding a Python process of the node is asked
 * once (worker.py), and what it says is remembered. Spark's own compiler (Janino) makes classes of this file when a
 * session first needs them: it knows no lambdas, and of generics next to nothing.
 */
public final class Codings {
  /** So many tables, and so many kinds of answers, are kept by a node. */
  private static final int FEW = 8;

  /** Days are numbers: year * 10000 + month * 100 + day. */
  static int day(byte[] date) {
    if (date == null || date.length < 10 || date[4] != '-' || date[7] != '-') {
      return 0;
    }
    if (date.length > 10 && date[10] != 'T' && date[10] != ' ') {
      return 0;
    }
    int found = 0;
    for (int at = 0; at < 10; at++) {
      if (at != 4 && at != 7) {
        int digit = date[at] - '0';
        if (digit < 0 || digit > 9) {
          return 0;
        }
        found = found * 10 + digit;
      }
    }
    int year = found / 10000;
    int month = found / 100 % 100;
    int most = month == 2 ? (year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28)
        : month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
    return year >= 1 && month >= 1 && month <= 12 && found % 100 >= 1 && found % 100 <= most ? found : 0;
  }

  /** Which of the answers in the plan holds for a row that is plainly right; null where the judge must be asked. */
  public static final class Plain implements UDF5 {
    private final Broadcast packed;
    private transient Table table;

    public Plain(Broadcast packed) {
      this.packed = packed;
    }

    public Object call(Object system, Object code, Object version, Object display, Object date) throws IOException {
      int day = version == null && system != null && code != null ? day((byte[]) date) : 0;
      if (day == 0) {
        return null;
      }
      if (table == null) {
        table = Table.of(packed);
      }
      return table.find((byte[]) system, (byte[]) code, (byte[]) display, day);
    }
  }

  /** Codes, and the days on which they are plainly right: a hash table whose places lie one behind the other. */
  static final class Table {
    private static final Map OPENED = new HashMap();
    private final int[] slots;
    private final int[] first;
    private final int[] last;
    private final byte[][] systems;
    private final byte[][] codes;
    private final byte[][] displays;
    private final Integer[] answers;

    static Table of(Broadcast packed) throws IOException {
      synchronized (OPENED) {
        Long id = Long.valueOf(packed.id());
        if (!OPENED.containsKey(id)) {
          if (OPENED.size() >= FEW) {
            OPENED.clear();
          }
          OPENED.put(id, new Table((byte[]) packed.value()));
        }
        return (Table) OPENED.get(id);
      }
    }

    /** Reads what listed.py packed. */
    Table(byte[] packed) throws IOException {
      DataInputStream in = new DataInputStream(new ByteArrayInputStream(packed));
      byte[][] urls = new byte[in.readInt()][];
      for (int at = 0; at < urls.length; at++) {
        urls[at] = bytes(in);
      }
      int many = in.readInt();
      slots = new int[Integer.highestOneBit(many + 1) * 4];
      first = new int[many];
      last = new int[many];
      systems = new byte[many][];
      codes = new byte[many][];
      displays = new byte[many][];
      answers = new Integer[many];
      for (int row = 0; row < many; row++) {
        systems[row] = urls[in.readInt()];
        codes[row] = bytes(in);
        displays[row] = bytes(in);
        first[row] = in.readInt();
        last[row] = in.readInt();
        answers[row] = Integer.valueOf(in.readInt());
        int at = slot(codes[row]);
        while (slots[at] != 0) {
          at = next(at);
        }
        slots[at] = row + 1;
      }
    }

    private int slot(byte[] code) {
      int hash = Arrays.hashCode(code);
      return (hash ^ hash >>> 15) & slots.length - 1;
    }

    private int next(int at) {
      return at + 1 & slots.length - 1;
    }

    Integer find(byte[] system, byte[] code, byte[] display, int day) {
      for (int at = slot(code); slots[at] != 0; at = next(at)) {
        int row = slots[at] - 1;
        if (first[row] <= day && day <= last[row] && Arrays.equals(codes[row], code)
            && Arrays.equals(systems[row], system) && (display == null || Arrays.equals(displays[row], display))) {
          return answers[row];
        }
      }
      return null;
    }
  }

  /** What the judge says of a row: verdict, used, findings. */
  public static final class Asked implements UDF5 {
    private final String key;
    private final String program;
    private final String[] environment;
    private final String[] included;
    private final int remembered;
    private final Broadcast task;
    private transient Answers answers;

    /**
     * @param key names what is asked, content and all
     * @param program the Python of the nodes
     * @param environment what is set for it: names, each with its value behind it
     * @param included files of the job that it imports from
     * @param remembered so many bytes of answers a node keeps
     * @param task what the process is told first
     */
    public Asked(
        String key, String program, String[] environment, String[] included, int remembered, Broadcast task) {
      this.key = key;
      this.program = program;
      this.environment = environment;
      this.included = included;
      this.remembered = remembered;
      this.task = task;
    }

    public Object call(Object system, Object code, Object version, Object display, Object date) throws IOException {
      if (answers == null) {
        answers = Answers.of(key, remembered);
      }
      String[] row = {(String) system, (String) code, (String) version, (String) display, (String) date};
      Row known = answers.known(row);
      return known != null ? known : answers.ask(this, row);
    }

    /** A process as Spark starts its own: with the Python, the variables and the files of the job. */
    Helper helper() throws IOException {
      String files = SparkFiles.getRootDirectory();
      ProcessBuilder starting =
          new ProcessBuilder(new String[] {program, "-m", "terminology.bulk.spark.worker", files});
      Map variables = starting.environment();
      for (int at = 0; at < environment.length; at += 2) {
        variables.put(environment[at], environment[at + 1]);
      }
      StringBuilder path = new StringBuilder();
      for (int at = 0; at < included.length; at++) {
        path.append(files).append(File.separator).append(included[at]).append(File.pathSeparator);
      }
      path.append(PythonUtils.sparkPythonPath());
      if (variables.get("PYTHONPATH") != null) {
        path.append(File.pathSeparator).append(variables.get("PYTHONPATH"));
      }
      variables.put("PYTHONPATH", path.toString());
      starting.redirectError(ProcessBuilder.Redirect.INHERIT);
      return new Helper(starting.start(), (byte[]) task.value());
    }
  }

  /** What is said of a coding from one day until before another, or of one row alone. */
  private static final class Answer {
    private final int first;
    private final int until;
    private final Row said;
    private final Answer other;

    Answer(int first, int until, Row said, Answer other) {
      this.first = first;
      this.until = until;
      this.said = said;
      this.other = other;
    }
  }

  /** What was said on this node, and the processes that say more; tasks share both. */
  private static final class Answers {
    private static final int ENTRY = 250; // bytes of a coding and its place in a map
    private static final ConcurrentHashMap HELD = new ConcurrentHashMap();
    private final ConcurrentHashMap spans = new ConcurrentHashMap();
    private final ConcurrentHashMap rows = new ConcurrentHashMap();
    private final ConcurrentHashMap same = new ConcurrentHashMap();
    private final AtomicLong held = new AtomicLong();
    private final ConcurrentLinkedDeque idle = new ConcurrentLinkedDeque();
    private final int remembered;

    private Answers(int remembered) {
      this.remembered = remembered;
    }

    static Answers of(String key, int remembered) {
      Answers found = (Answers) HELD.get(key);
      if (found == null) {
        if (HELD.size() >= FEW) {
          HELD.clear();
        }
        HELD.putIfAbsent(key, new Answers(remembered));
        found = (Answers) HELD.get(key);
      }
      return found;
    }

    Row known(String[] row) {
      int day = row[4] == null ? 0 : day(row[4].getBytes(StandardCharsets.UTF_8));
      if (day != 0) {
        Answer span = (Answer) spans.get(Arrays.asList(coding(row)));
        while (span != null && (day < span.first || span.until <= day)) {
          span = span.other;
        }
        if (span != null) {
          return span.said;
        }
      }
      return (Row) rows.get(Arrays.asList(row));
    }

    Row ask(Asked asked, String[] row) throws IOException {
      Helper helper = (Helper) idle.pollFirst();
      Answer found = null;
      while (helper != null && found == null) {
        try {
          found = helper.ask(row);
        } catch (IOException ended) { // it may have ended while it had nothing to do
          helper.end();
          helper = (Helper) idle.pollFirst();
        }
      }
      if (found == null) {
        try {
          helper = asked.helper();
          found = helper.ask(row);
        } catch (IOException broken) {
          if (helper != null) {
            helper.end();
          }
          throw new IOException("The Python of this node (" + asked.program + ") does not judge: is"
              + " flask-fhir-terminology[spark] installed there? What it said is in the log of this executor.", broken);
        }
      }
      idle.addFirst(helper);
      return remember(row, found);
    }

    /** Equal answers, and equal systems, are held once. */
    private Row remember(String[] row, Answer found) {
      long size = ENTRY + (same.containsKey(found.said) ? 0 : size(found.said));
      if (held.addAndGet(size) > remembered) {
        spans.clear();
        rows.clear();
        same.clear();
        held.set(size);
      }
      row[0] = row[0] == null ? null : (String) once(row[0]);
      Row said = (Row) once(found.said);
      if (found.first == 0) {
        rows.put(Arrays.asList(row), said);
      } else {
        Object coding = Arrays.asList(coding(row));
        spans.put(coding, new Answer(found.first, found.until, said, (Answer) spans.get(coding)));
      }
      return said;
    }

    private Object once(Object value) {
      Object first = same.putIfAbsent(value, value);
      return first == null ? value : first;
    }

    /** About so many bytes of memory: of what is in a row, and of the texts in it. */
    private static long size(Object value) {
      if (value instanceof Row) {
        long size = 0;
        for (int at = 0; at < ((Row) value).length(); at++) {
          size += size(((Row) value).get(at));
        }
        return size + 40;
      }
      if (value instanceof List) {
        return size(RowFactory.create(((List) value).toArray()));
      }
      return value == null ? 4 : 60 + ((String) value).length();
    }

    private static String[] coding(String[] row) {
      return (String[]) Arrays.copyOf(row, 4);
    }
  }

  /** A process with the judge in it; asked by one task at a time. */
  private static final class Helper {
    private final Process process;
    private final DataOutputStream to;
    private final DataInputStream from;

    Helper(Process process, byte[] task) throws IOException {
      this.process = process;
      to = new DataOutputStream(new BufferedOutputStream(process.getOutputStream(), 65536));
      from = new DataInputStream(new BufferedInputStream(process.getInputStream(), 65536));
      to.writeInt(task.length);
      to.write(task);
    }

    Answer ask(String[] row) throws IOException {
      for (int at = 0; at < row.length; at++) {
        byte[] text = row[at] == null ? null : row[at].getBytes(StandardCharsets.UTF_8);
        to.writeInt(text == null ? -1 : text.length);
        if (text != null) {
          to.write(text);
        }
      }
      to.flush();
      String failed = text(from);
      if (failed != null) {
        end();
        throw new IllegalStateException(failed);
      }
      int first = from.readInt();
      int until = from.readInt();
      String verdict = text(from);
      Object[] used = new Object[from.readInt()];
      for (int at = 0; at < used.length; at++) {
        used[at] = text(from);
      }
      Object[] findings = new Object[from.readInt()];
      for (int at = 0; at < findings.length; at++) {
        Object[] finding = {text(from), text(from), text(from), text(from), null};
        if (from.readBoolean()) {
          finding[4] = RowFactory.create(new Object[] {text(from), text(from), text(from)});
        }
        findings[at] = RowFactory.create(finding);
      }
      Object[] said = {verdict, Arrays.asList(used), Arrays.asList(findings)}; // lists: equal ones are known as such
      return new Answer(first, until, RowFactory.create(said), null);
    }

    void end() {
      process.destroy();
    }
  }

  private static byte[] bytes(DataInputStream in) throws IOException {
    int length = in.readInt();
    if (length < 0) {
      return null;
    }
    byte[] found = new byte[length];
    in.readFully(found);
    return found;
  }

  private static String text(DataInputStream in) throws IOException {
    byte[] found = bytes(in);
    return found == null ? null : new String(found, StandardCharsets.UTF_8);
  }
}

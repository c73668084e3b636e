import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.Properties;
import java.util.StringJoiner;

/** What a SQL tool does by JDBC, against the tables of the tests: a line of output for each. */
public class Jdbc {
    public static void main(String[] given) throws Exception {
        Properties login = new Properties();
        login.put("user", "anybody");
        login.put("password", given[1]);
        try (Connection connection = DriverManager.getConnection(given[0], login)) {
            query(connection);
            catalog(connection.getMetaData());
            facts(connection.getMetaData());
        }
        login.put("password", "wrong");
        try (Connection connection = DriverManager.getConnection(given[0], login)) {
            System.out.println("login: let in");
        } catch (SQLException refused) {
            System.out.println("login: refused");
        }
    }

    private static void query(Connection connection) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            say("query", statement.executeQuery("SELECT name, since FROM customer ORDER BY id"), 1, 2);
        }
        try (PreparedStatement statement = connection.prepareStatement("SELECT name FROM customer WHERE id = $1")) {
            statement.setInt(1, 2);
            say("prepared", statement.executeQuery(), 1);
        }
        try (Statement statement = connection.createStatement()) {
            statement.executeQuery("SELECT * FROM nowhere");
        } catch (SQLException refused) {
            System.out.println("fault: " + refused.getMessage().contains("nowhere"));
        }
    }

    private static void catalog(DatabaseMetaData data) throws SQLException {
        System.out.println("product: " + data.getDatabaseProductName());
        say("catalogs", data.getCatalogs(), 1);
        say("schemas", data.getSchemas(null, "public"), 1);
        say("tables", data.getTables(null, "public", "%", null), 3, 4);
        say("columns", data.getColumns(null, "public", "purchase", "%"), 4, 6);
        say("primary key", data.getPrimaryKeys(null, "public", "customer"), 4);
        say("foreign key", data.getImportedKeys(null, "public", "purchase"), 8);
        say("types", data.getTypeInfo(), 1);
    }

    /** Every fact about the server that needs no argument. */
    private static void facts(DatabaseMetaData data) throws IllegalAccessException {
        StringJoiner failed = new StringJoiner(" ");
        for (Method method : DatabaseMetaData.class.getMethods()) {
            Class<?> type = method.getReturnType();
            if (method.getParameterCount() == 0 && (type.isPrimitive() || type == String.class)) {
                try {
                    method.invoke(data);
                } catch (InvocationTargetException lacking) {
                    if (!(lacking.getCause() instanceof SQLException)) failed.add(method.getName());
                }
            }
        }
        System.out.println("lacking:" + failed);
    }

    private static void say(String what, ResultSet rows, int... columns) throws SQLException {
        StringJoiner all = new StringJoiner(", ");
        while (rows.next()) {
            StringJoiner row = new StringJoiner(" ");
            for (int column : columns) row.add(String.valueOf(rows.getObject(column)));
            all.add(row.toString());
        }
        rows.close();
        System.out.println(what + ": " + all);
    }
}

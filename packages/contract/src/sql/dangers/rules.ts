import { fieldsOf, lastNameOf, listOf, type Met, stringOf, type Tree } from '../grammar.ts';
import { type Found, type Fragment, NAME_TO_COME, type Remark } from './found.ts';
import { onActions, onQueryAround, onWhole } from './places.ts';

/** What a node of the tree says of itself, without what is inside of it. */
export function examineNode(fragment: Fragment, { kind, fields }: Met): readonly Found[] {
  const whole = (remark: Remark | undefined) => (remark === undefined ? [] : [onWhole(fragment, remark)]);
  const query = (remark: Remark | undefined) =>
    remark === undefined ? [] : [onQueryAround(fragment, (fields.relation as Tree | undefined)?.location ?? fields.location, remark)];
  switch (kind) {
    case 'DropStmt':
      return whole(remarkOnDrop(fields));
    case 'DropdbStmt':
      return whole({ effect: 'destroys', why: 'It removes the database and everything in it.' });
    case 'DropOwnedStmt':
      return whole({ effect: 'destroys', why: `It removes every table and everything else that the role owns here.${alsoBy(fields)}` });
    case 'TruncateStmt': {
      const more = isCascade(fields) ? ' CASCADE empties every table that refers to it, too.' : '';
      return whole({ effect: 'destroys', why: `TRUNCATE removes every row.${more}` });
    }
    case 'AlterTableStmt':
      return onActions(
        fragment,
        listOf(fields.cmds).map((command) => remarkOnAction(String(fields.objtype), fieldsOf(command, 'AlterTableCmd') ?? {})),
      );
    case 'DeleteStmt': {
      const lack = lackOfCondition(fields);
      // USING without WHERE pairs every row with every row.
      return query(lack === undefined ? lack : { effect: 'destroys', why: `${lack}, so it removes every row of the table.` });
    }
    case 'UpdateStmt': {
      const lack = lackOfCondition(fields);
      return query(lack === undefined ? lack : { effect: 'may_destroy', why: `${lack}, so it overwrites every row of the table.` });
    }
    case 'MergeStmt':
      return query(remarkOnMerge(fields));
    case 'FuncCall':
      if (lastNameOf(fields.funcname) === NAME_TO_COME)
        return whole({ effect: 'unseen', why: 'Which function it calls is only known when it runs, so it could not be analysed.' });
      if (!/^lo_(unlink|truncate|truncate64)$/.test(lastNameOf(fields.funcname))) return [];
      return query({ effect: 'destroys', why: 'It removes large objects or their content.' });
    case 'CallStmt':
      return whole({ effect: 'unseen', why: 'What the procedure does could not be analysed.' });
  }
  return [];
}

function remarkOnDrop(fields: Tree): Remark | undefined {
  const cascades = isCascade(fields);
  const destroys = (why: string): Remark => ({ effect: 'destroys', why: why + alsoBy(fields) });
  const mayDestroy = (why: string): Remark => ({ effect: 'may_destroy', why: why + alsoBy(fields) });
  switch (fields.removeType) {
    case 'OBJECT_TABLE':
      return destroys('It removes the table and every row in it.');
    case 'OBJECT_SCHEMA':
      if (cascades) return { effect: 'destroys', why: 'It removes the schema with every table in it.' };
      return mayDestroy('It removes the schema; without CASCADE, Postgres refuses while anything is in it.');
    case 'OBJECT_MATVIEW':
      return mayDestroy('It removes the rows of the view; its query may not bring the same ones back.');
    case 'OBJECT_SEQUENCE':
      return mayDestroy('The current number of the sequence is lost.');
    case 'OBJECT_TYPE':
    case 'OBJECT_DOMAIN':
    case 'OBJECT_EXTENSION':
    case 'OBJECT_COLLATION':
      // Without CASCADE, Postgres refuses while a column uses it.
      return cascades ? { effect: 'destroys', why: 'CASCADE removes every column that uses it, with its values.' } : undefined;
    case 'OBJECT_INDEX':
    case 'OBJECT_POLICY':
    case 'OBJECT_TRIGGER':
    case 'OBJECT_RULE':
    case 'OBJECT_PUBLICATION':
      return undefined;
    default:
      return cascades ? { effect: 'may_destroy', why: 'CASCADE removes whatever depends on it, which may include columns.' } : undefined;
  }
}

/** An action of ALTER TABLE or ALTER TYPE; rows of a foreign table are elsewhere, and a view has none. */
function remarkOnAction(object: string, action: Tree): Remark | undefined {
  if (object === 'OBJECT_TYPE') {
    if (action.subtype === 'AT_DropColumn')
      return { effect: 'destroys', why: 'It removes the attribute from every value of the type that is stored.' };
    if (action.subtype === 'AT_AlterColumnType')
      return { effect: 'may_destroy', why: 'It may rewrite every stored value of the type; what the new one cannot hold exactly is lost.' };
  }
  if (object !== 'OBJECT_TABLE') return undefined;
  switch (action.subtype) {
    case 'AT_DropColumn':
      return { effect: 'destroys', why: `It removes the column with its values.${alsoBy(action)}` };
    case 'AT_AlterColumnType':
      if (keepsEveryValue(fieldsOf(action.def, 'ColumnDef') ?? {})) return undefined;
      return { effect: 'may_destroy', why: 'It may rewrite every value of the column; what the new type cannot hold exactly is lost.' };
    case 'AT_SetUnLogged':
      return { effect: 'may_destroy', why: 'Postgres empties an unlogged table after a crash.' };
  }
  return undefined;
}

/** Every value has a text, so that text without a length loses none; USING may compute anything. */
function keepsEveryValue(column: Tree): boolean {
  const type = (column.typeName ?? {}) as Tree;
  const names = listOf(type.names).map(stringOf);
  const isText = /^(pg_catalog\.)?(text|varchar)$/.test(names.join('.'));
  return isText && column.raw_default === undefined && type.typmods === undefined && type.arrayBounds === undefined;
}

function remarkOnMerge(fields: Tree): Remark | undefined {
  const clauses = listOf(fields.mergeWhenClauses).map((clause) => fieldsOf(clause, 'MergeWhenClause') ?? {});
  const removes = clauses.some(
    ({ matchKind, commandType }) => matchKind === 'MERGE_WHEN_NOT_MATCHED_BY_SOURCE' && commandType === 'CMD_DELETE',
  );
  return removes ? { effect: 'may_destroy', why: 'It removes every row that the source does not have.' } : undefined;
}

/** Why a DELETE or UPDATE has no condition, or undefined when it has one. */
function lackOfCondition({ whereClause }: Tree): string | undefined {
  if (whereClause === undefined) return 'It has no WHERE';
  return isAlwaysTrue(whereClause) ? 'Its WHERE is true for every row' : undefined;
}

/** Sees `true`, `1 = 1` and the like, which are written to silence tools that ask for a WHERE. */
function isAlwaysTrue(condition: unknown): boolean {
  const constant = fieldsOf(condition, 'A_Const');
  if (constant !== undefined) return (constant.boolval as Tree | undefined)?.boolval === true;
  const expression = fieldsOf(condition, 'A_Expr');
  if (expression === undefined || lastNameOf(expression.name) !== '=') return false;
  const [left, right] = [constantOf(expression.lexpr), constantOf(expression.rexpr)];
  return left !== undefined && left === right;
}

function constantOf(node: unknown): string | undefined {
  const constant = fieldsOf(node, 'A_Const');
  if (constant === undefined || constant.isnull === true) return undefined;
  const { location: _, ...value } = constant;
  return JSON.stringify(value);
}

function isCascade({ behavior }: Tree): boolean {
  return behavior === 'DROP_CASCADE';
}

function alsoBy(fields: Tree): string {
  return isCascade(fields) ? ' CASCADE also removes what depends on it.' : '';
}
